// Versions and schedules, as the tabs are told of them.
export interface VersionItem {
  version: number
  state: string
  hash: string
  source: string | null
  file: string | null
  created_at: string
  activated_at: string | null
  activated_by: string | null
  replaced: number | null
  note: string | null
  share: number
  created_by: string | null
  /** Of a draft: they keep it from being run. */
  faults: { where: string | null; message: string }[]
}

export interface VersionDetail extends VersionItem {
  workflow: string
  document: Record<string, unknown>
  format: 'yaml' | 'toml' | 'json'
  text: string
  as_written: boolean
}

export interface VersionDiff {
  before: number
  after: number
  changes: { change: string; task: string | null; key: string; before: unknown; after: unknown }[]
  text: string
}
