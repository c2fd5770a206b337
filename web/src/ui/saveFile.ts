// A text as a file that the browser saves.
export function saveFile(workflow: string, format: string, text: string) {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }))
  link.download = `${workflow.replaceAll('/', '_')}.${format}`
  link.click()
  URL.revokeObjectURL(link.href)
}
