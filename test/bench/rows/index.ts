import type { Row } from '../row.js';
import { TCP_ROWS } from './tcp.js';

/** Every row, in the order of the table. */
export const ROWS: readonly Row[] = [...TCP_ROWS];
