// Begins: the first page and what it asks are on their way while the rest of the code is still being loaded.
import { begin } from './loads'

begin()
void import('./main')
