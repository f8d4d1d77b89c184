// `npm run cycles`: what the C client costs on an ATmega328P.
import { boardTable, measureBoard } from './report.js';

console.log(boardTable(measureBoard()));
