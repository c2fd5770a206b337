// The page of task types.
import { Stored } from './Stored'

export default function Types() {
  return <Stored kind="type" />
}
