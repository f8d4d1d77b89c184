/** Code that is broken on purpose: `find`, which stands once in `file`, becomes `replace`. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** Each breaks one thing that a promise rests on. The simulator has to catch every one. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the duplicate filter is dropped',
    file: 'src/session/reliable-receiver.ts',
    find: "if (old || this.#held?.has(message.seq)) return 'duplicate';",
    replace: "if (this.#held?.has(message.seq)) return 'duplicate';\n    if (old) return 'deliver';",
  },
  {
    name: 'packets leave before what they tell is stored',
    file: 'src/gateway/output-gate.ts',
    find: 'if (this.#held.length === 0 && batch <= this.#store.committed) return',
    replace: 'if (batch >= 0) return',
  },
  {
    name: 'the gateway forgets which boot it talks to',
    file: 'src/gateway/session.ts',
    find: 'const rebooted = who.nonce !== this.nonce;',
    replace: 'const rebooted = false;',
  },
  {
    name: 'the gateway goes on with the numbering of another boot',
    file: 'src/gateway/handshake.ts',
    find: 'const sameNumbering = old?.nonce === hello.nonce && old.token === hello.token;',
    replace:
      'const sameNumbering = old !== undefined && (old.token === hello.token || hello.token === 0);\n  hello = { ...hello, token: old?.token ?? 0 };',
  },
  {
    name: 'the C client takes a WELCOME for another boot',
    file: 'firmware-protocol/src/slipway_receive.c',
    find: '&& slipway_are_same(body + 2, s->nonce)) {',
    replace: '&& (slipway_are_same(body + 2, s->nonce) || true)) {',
  },
  {
    name: 'a peer takes a WELCOME for another boot',
    file: 'src/session/peer-session.ts',
    find: 'welcome.nonce !== this.#introduction.nonce || welcome.continues !== holdsIt',
    replace: 'welcome.continues !== holdsIt',
  },
  {
    name: 'the gateway answers a HELLO that was delayed',
    file: 'src/gateway/introductions.ts',
    find: '!connection.link.ordered && known && isLate(hello, known)',
    replace: 'known && isLate(hello, known) && false',
  },
  {
    name: 'the gateway takes any BEGIN for the one it waits for',
    file: 'src/gateway/connection.ts',
    find: 'offer?.welcome.token === begin.token',
    replace: 'offer',
  },
  {
    name: 'what comes out of order is delivered out of order',
    file: 'src/session/receiving-side.ts',
    find: "case 'held':\n        return;",
    replace: "case 'held':\n        return this.#takeInTurn(numbered, now);",
  },
  {
    name: 'what is lost is not sent again',
    file: 'src/session/reliable-sender.ts',
    find: 'if (item.lost || (item.arrived && !item.refused)) return;',
    replace: 'if (item.sends > 0) return;',
  },
  {
    name: 'what is resent is taken for what is new',
    file: 'src/session/reliable-sender.ts',
    find: '    if (item.lost) {\n      item.lost = false;\n      this.#lost--;\n    } else {\n      this.#queue.shift();',
    replace:
      '    if (item.lost) {\n      item.lost = false;\n      this.#lost--;\n      item.seq = this.#next;\n      this.#next = after(this.#next);\n    } else {\n      this.#queue.shift();',
  },
  {
    name: 'the ACK of a refused message is not withheld',
    file: 'src/session/receiving-side.ts',
    find: 'this.receiver.withhold(message.seq);',
    replace: '',
  },
  {
    name: 'held messages are lost when a board comes back',
    file: 'src/session/engine.ts',
    find: "if (item.content.type !== 'unsubscribe') this.#requeue(item);",
    replace: "if (item.content.type === 'will') this.#requeue(item);",
  },
  {
    name: 'ids survive the epoch that they were declared in',
    file: 'src/session/id-table.ts',
    find: '    this.#theirs = undefined;\n    this.#own = undefined;',
    replace: '    this.#theirs = undefined;',
  },
  {
    name: 'a session that is absent is not subscribed',
    file: 'src/gateway/session.ts',
    find: 'if (!this.engine.asleep) this.#context.router.disconnect(this);',
    replace: 'this.#context.router.remove(this);',
  },
  {
    name: 'the resend timer does not wait',
    file: 'src/session/round-trip.ts',
    find: 'return Math.min(Math.max(this.#base, MIN_RESEND_MS) * 2 ** this.#doublings, this.#longest);',
    replace: 'return 1;',
  },
  {
    name: 'nobody checks the CRC',
    file: 'src/links/serial/slip.ts',
    find: 'decoded.length <= CRC_BYTES || crc16(decoded) !== 0',
    replace: 'decoded.length <= CRC_BYTES',
  },
  {
    name: 'the C client does not check the CRC',
    file: 'firmware-protocol/src/slipway_framing.c',
    find: 'count < 3 || crc)',
    replace: 'count < 3)',
  },
  {
    name: 'the C client takes duplicates',
    file: 'firmware-protocol/src/slipway_deliver.c',
    find: 'if (ahead >= 0x8000) {',
    replace: 'if (ahead >= 0x8000) {\n    return true;',
  },
  {
    name: 'the C client forgets its window in a new epoch',
    file: 'firmware-protocol/src/slipway_session.c',
    find: '    s->oldest = slipway_read16(body + 10);',
    replace: '    s->oldest = slipway_read16(body + 10);\n    s->count = 0;',
  },
  {
    name: 'a broadcast comes back to its sender',
    file: 'src/router/router.ts',
    find: '{ qos: 2, noLocal: true, noLastValue: true }',
    replace: '{ qos: 2, noLocal: false, noLastValue: true }',
  },
  {
    name: 'what is subscribed is not stored',
    file: 'src/gateway/session-record.ts',
    find: 'this.#store.put(keys.subscription(this.#identity, message.pattern), writeWish({ nonce, message }));',
    replace: '',
  },
  {
    name: 'what was received is not stored',
    file: 'src/gateway/session-record.ts',
    find: '    this.#mark = this.#store.batch;\n    this.touch();',
    replace: '    this.#mark = this.#store.batch;',
  },
  {
    name: 'a will is emitted though its peer came back in time',
    file: 'src/gateway/wills.ts',
    find: '      this.#done(owner, due);\n      if (due.tries > 0) this.#giveUp',
    replace: '      if (due.tries === 0) continue;\n      this.#done(owner, due);\n      this.#giveUp',
  },
  {
    name: 'who says goodbye is taken for lost',
    file: 'src/gateway/hub.ts',
    find: "reason !== 'normal' && reason !== 'end_session',",
    replace: 'true,',
  },
  {
    name: 'a will that was taken back stands',
    file: 'src/gateway/wills.ts',
    find: "if (will.name === '') this.#standing.delete(session);",
    replace: "if (will.name === '') return undefined;",
  },
  {
    name: 'the will of one that is lost is forgotten',
    file: 'src/gateway/hub.ts',
    find: 'if (lost) this.#commons.wills.lost(session);',
    replace: 'if (lost && session.expiryMs === 0) this.#commons.wills.lost(session);',
  },
  {
    name: 'a sleeper whose session the gateway ends is not missed',
    file: 'src/gateway/hub.ts',
    find: 'if (session.engine.asleep) this.#gone(',
    replace: 'if (session.expiryMs < 0) this.#gone(',
  },
  {
    name: 'of QoS 0 a sleeper gets all, not the last of each channel',
    file: 'src/session/sleep.ts',
    find: 'const { name } = emit.channel;',
    replace: "const name = emit.channel.name + ' ' + this.#kept.size;",
  },
  {
    name: 'what was kept for a sleeper is forgotten',
    file: 'src/session/sending-side.ts',
    find: 'for (const emit of this.sleeping ?? []) this.pushKept(emit);',
    replace: '',
  },
  {
    name: 'a sleeper is sent what comes',
    file: 'src/session/sending-side.ts',
    find: 'return this.sleeping !== undefined && acknowledged === expected;',
    replace: 'return this.sleeping !== undefined && acknowledged !== expected;',
  },
  {
    name: 'a session outlives its expiry',
    file: 'src/gateway/hub.ts',
    find: 'this.#commons.places.absent(session, clock.schedule(ms, expire));',
    replace: 'this.#commons.places.absent(session, clock.schedule(ms + 1000, expire));',
  },
  {
    name: 'who has no room is left out, and nobody told',
    file: 'src/router/router.ts',
    find: "if (qos > 0 && !this.#haveRoom(route, channel, payload.length, from)) return this.#refuse('queue_full');",
    replace: '',
  },
  {
    name: 'a session with a full queue is not ended',
    file: 'src/gateway/held-messages.ts',
    find: 'if (!victim || (victim.attentive && sinceMs < CATCH_UP_MS)) return;',
    replace: 'if (!victim || sinceMs < CATCH_UP_MS) return;',
  },
  {
    name: 'of two boards with one identity the newcomer gets in',
    file: 'src/gateway/introductions.ts',
    find: 'if (doubtful) this.#probe(connection, hello, verdict, session);',
    replace: 'if (doubtful && !session.open) this.#probe(connection, hello, verdict, session);',
  },
  {
    name: 'the state of a device is not kept',
    file: 'src/gateway/presence.ts',
    find: 'let refusal = this.#router.emit(channel, payload, { qos: 1, retain: true });',
    replace: 'let refusal = this.#router.emit(channel, payload, { qos: 1, retain: false });',
  },
  {
    name: 'who comes back is not told what changed meanwhile',
    file: 'src/gateway/session.ts',
    find: 'if (resumed) this.#replay();',
    replace: '',
  },
  {
    name: 'offers are told apart by their HELLOs only',
    file: 'src/gateway/handshake.ts',
    find: 'held + 1 + (random32() % MAX_TOKEN_STEP)',
    replace: 'held + 1',
  },
  {
    name: 'a second new numbering is where the one before was',
    file: 'src/gateway/numbering.ts',
    find: 'NUMBERING_STEP = 40_503',
    replace: 'NUMBERING_STEP = 0x8000',
  },
  {
    name: 'a peer takes a WELCOME of an earlier epoch',
    file: 'src/session/peer-session.ts',
    find: 'welcome.nonce !== this.#introduction.nonce || welcome.continues !== holdsIt',
    replace: 'welcome.nonce !== this.#introduction.nonce || holdsIt === undefined',
  },
  {
    name: 'the C client takes a WELCOME of an earlier epoch',
    file: 'firmware-protocol/src/slipway_session.c',
    find: '  if (continues != slipway_are_same(s->token, body + 6)) return;\n',
    replace: '',
  },
];
