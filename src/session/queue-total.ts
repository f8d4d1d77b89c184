/** What waits in the queues of all sessions together, against a bound. One emit to many may exceed it once. */
export class QueueTotal {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  #messages = 0;
  #bytes = 0;

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get messages(): number {
    return this.#messages;
  }

  get bytes(): number {
    return this.#bytes;
  }

  hasRoom(bytes: number): boolean {
    return this.#messages < this.#maxMessages && this.#bytes + bytes <= this.#maxBytes;
  }

  take(bytes: number): void {
    this.#messages++;
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#messages--;
    this.#bytes -= bytes;
  }
}
