/** The document with `body` between its markers of `generated:<name>`. Throws when it has none. */
export function withSection(document: string, name: string, body: string): string {
  const begin = `<!-- generated:${name} -->\n`;
  const start = document.indexOf(begin);
  const end = document.indexOf('<!-- /generated -->', start);
  if (start < 0 || end < 0)
    throw new Error(`the document has no section between the markers of generated:${name}`);
  return `${document.slice(0, start)}${begin}${body}\n${document.slice(end)}`;
}
