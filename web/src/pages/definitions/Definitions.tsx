// The page of task definitions.
import { Stored } from './Stored'

export default function Definitions() {
  return <Stored kind="definition" />
}
