// How the dashboard is built: relative addresses, so that it works below any path, no source maps, few files.
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

/** The page names what `begin.ts` loads, so that nobody waits for one file to learn of the next. */
const named: Plugin = {
  name: 'named',
  transformIndexHtml: {
    order: 'post',
    handler(_, { bundle = {} }) {
      const chunks = Object.values(bundle).filter((one) => one.type === 'chunk')
      const main = chunks.filter((one) => one.facadeModuleId?.endsWith('/src/main.tsx'))
      for (const one of main) main.push(...chunks.filter((other) => one.imports.includes(other.fileName) && !other.isEntry && !main.includes(other)))
      const sheets = new Set(main.flatMap((one) => [...(one.viteMetadata?.importedCss ?? [])]))
      return [
        ...main.map((one) => ({ tag: 'link', injectTo: 'head' as const, attrs: { rel: 'modulepreload', crossorigin: true, href: `./${one.fileName}` } })),
        ...[...sheets].map((sheet) => ({ tag: 'link', injectTo: 'head' as const, attrs: { rel: 'stylesheet', crossorigin: true, href: `./${sheet}` } })),
      ]
    },
  },
}

export default defineConfig({
  base: './',
  plugins: [react(), named],
  build: {
    target: 'es2022', sourcemap: false, assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: false,
    rolldownOptions: {
      output: {
        // A file a page, one that all of them share, one of the graphs: a browser asks for six at once.
        codeSplitting: {
          groups: [
            { name: 'begin', test: /src\/(begin|loads|api\/(where|ahead))\.ts|vite\/preload/, priority: 3, includeDependenciesRecursively: false },
            { name: 'graph', test: /node_modules\/(@xyflow|d3-|zustand|classcat)|src\/draw\/(Surface|Graph|Line|graph)/, priority: 2, includeDependenciesRecursively: false },
            { name: 'shared', minShareCount: 3, priority: 1, includeDependenciesRecursively: false },
          ],
        },
      },
    },
  },
  server: { proxy: process.env.QFLOWD_API ? { '/api': process.env.QFLOWD_API } : undefined },
})
