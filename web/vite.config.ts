// How the dashboard is built: relative addresses, so that it works below any path, and no source maps.
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

export default defineConfig({
  base: './',
  plugins: [react()],
  build: { target: 'es2022', sourcemap: false, assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: false },
  server: { proxy: process.env.QFLOWD_API ? { '/api': process.env.QFLOWD_API } : undefined },
})
