// What waits for a person: the question, until when, and what counts if nobody answers; approved or rejected here.
import { useState } from 'react'
import { Link } from 'wouter'
import { useMay } from '../../api/me'
import { useList } from '../../api/queries'
import { Act } from '../../ui/Act'
import { Button } from '../../ui/Button'
import { Empty } from '../../ui/Empty'
import { LoadedList } from '../../ui/LoadedList'
import { Head } from '../../ui/Panel'
import { Table } from '../../ui/Table'
import { Time } from '../../ui/Time'
import { useWords } from '../../words'
import { words } from './words'

export interface ApprovalItem {
  task_id: string
  instance_id: number
  workflow: string
  task: string
  business_date: string | null
  subject: string
  asked_at: string
  deadline_at: string | null
  default_answer: string
}

type Answer = 'approve' | 'reject'

export default function Approvals() {
  const w = useWords(words)
  const found = useList<ApprovalItem>('/approvals')
  return (
    <>
      <Head title={w.title} name={w.title}>{found.items && w.about(found.items.length)}</Head>
      <LoadedList of={found} empty={<Empty title={w.none} code={'tasks:\n  ship:\n    job: ship_nav\n    wait_for: {approval: "Ship the NAV?", deadline: 1h}'}>{w.noneMore}</Empty>}>
        {(approvals) => <Listed approvals={approvals} />}
      </LoadedList>
    </>
  )
}

function Listed({ approvals }: { approvals: ApprovalItem[] }) {
  const w = useWords(words)
  const operate = useMay('operate')
  const [answering, setAnswering] = useState<[Answer, ApprovalItem] | null>(null)
  return (
    <>
      <Table
        label={w.title} rows={approvals} keyOf={(one) => one.task_id}
        columns={[
          { head: w.question, cell: (one) => <strong className="cut" title={one.subject}>{one.subject}</strong> },
          { head: w.task, width: '18rem', cell: (one) => <Link href={`/instances/${one.instance_id}?task=${one.task_id}`} data-row className="cut">{one.workflow} › {one.task} <span className="muted">#{one.instance_id}</span></Link> },
          { head: w.date, width: '8rem', wide: true, cell: (one) => one.business_date ?? <span className="muted">–</span> },
          { head: w.asked, width: '8rem', cell: (one) => <Time at={one.asked_at} /> },
          { head: w.deadline, width: '14rem', cell: (one) => (one.deadline_at ? <span><Time at={one.deadline_at} /> <span className="muted">{w.then[one.default_answer]}</span></span> : <span className="muted">–</span>) },
          { head: <span className="hidden-text">{w.answers('')}</span>, width: '13rem', cell: (one) => operate && <span className="row" role="group" aria-label={w.answers(one.subject)}><Button onClick={() => setAnswering(['approve', one])}>{w.approve}</Button><Button look="danger" onClick={() => setAnswering(['reject', one])}>{w.reject}</Button></span> },
        ]}
      />
      {answering && <Asked answer={answering[0]} of={answering[1]} onClose={() => setAnswering(null)} />}
    </>
  )
}

function Asked({ answer, of: one, onClose }: { answer: Answer; of: ApprovalItem; onClose: () => void }) {
  const w = useWords(words)
  const word = w[answer].replace(/ ?…+$/, '')
  return (
    <Act title={`${word}: ${one.workflow} › ${one.task}`} word={word} danger={answer === 'reject'} onClose={onClose} action={{ path: `/tasks/${one.task_id}/${answer}` }}>
      <p><strong>{one.subject}</strong></p>
      <p>{w[`${answer}Text`]}</p>
    </Act>
  )
}
