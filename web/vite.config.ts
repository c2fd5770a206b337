// How the dashboard is built: relative addresses, no source maps, a gzip beside each file, and a bar on the first load.
import { existsSync } from 'node:fs'
import react from '@vitejs/plugin-react'
import { defineConfig, type PluginOption } from 'vite'

// A stand-in for the API while there is none: a file that is not part of the repository.
const standIn = './fake/plugin.ts'

export default defineConfig(async () => {
  const plugins: PluginOption[] = [react()]
  if (existsSync(new URL(standIn, import.meta.url))) plugins.push((await import(standIn)).default())
  return {
    base: './',
    plugins,
    build: {
      target: 'es2022',
      sourcemap: false,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
    server: { proxy: process.env.QFLOWD_API ? { '/api': process.env.QFLOWD_API } : undefined },
  }
})
