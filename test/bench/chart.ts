import type { RowResult } from './result.js';
import { short } from './table.js';

const WIDTH = 860;
const NAMES = 190;
const VALUES = 110;
const TITLE_HEIGHT = 20;
const BAR_HEIGHT = 15;
const GAP = 4;
const FONT = 'font-family="system-ui, sans-serif"';
/** Legible on white and on black. */
const INK = '#7a828e';
const COLORS = { ours: '#2f81f7', peer: '#8c959f', ceiling: '#b9c0c8', reported: '#b9c0c8' };

/** The table as bars, an SVG image: in each row the longest is the greatest. Left out is what is only reported, or stands alone. */
export function drawChart(results: readonly RowResult[]): string {
  let y = 8;
  const parts: string[] = [];
  for (const result of results) {
    const bars = barsOf(result);
    if (bars.length < 2) continue;
    parts.push(
      text(8, y + 14, result.name, 'font-size="13" font-weight="600"'),
      text(
        NAMES,
        y + 14,
        result.unit.endsWith('/s') ? result.work : `${result.work}: less is better`,
        'font-size="11"',
      ),
    );
    y += TITLE_HEIGHT;
    const greatest = Math.max(...bars.map(({ value }) => value));
    for (const { name, role, value } of bars) {
      y += GAP;
      const width = greatest > 0 ? (value / greatest) * (WIDTH - NAMES - VALUES) : 0;
      parts.push(
        text(NAMES - 8, y + 12, name, 'font-size="12" text-anchor="end"'),
        `<rect x="${NAMES}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" fill="${COLORS[role]}"/>`,
        text(NAMES + width + 6, y + 12, `${short(value)} ${result.unit}`, 'font-size="12"'),
      );
      y += BAR_HEIGHT;
    }
    y += 2 * GAP;
  }
  const opening = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" ${FONT}>`;
  const title = '<title>Slipway beside others, in bars: the table of its README</title>';
  return `${opening}\n${title}\n${parts.join('\n')}\n</svg>\n`;
}

function barsOf({ spread, roles, peers, ours }: RowResult) {
  return Object.keys(spread).flatMap((name) => {
    const role = roles[name] ?? 'reported';
    return role === 'reported'
      ? []
      : [{ name, role, value: role === 'ours' ? ours : (peers[name] as number) }];
  });
}

function text(x: number, y: number, content: string, attributes: string): string {
  const escaped = content.replace(/&/g, '&amp;').replace(/</g, '&lt;');
  return `<text x="${x.toFixed(1)}" y="${y}" fill="${INK}" ${attributes}>${escaped}</text>`;
}
