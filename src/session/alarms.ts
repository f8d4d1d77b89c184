import type { Cancel, Clock } from '../clock.js';

/** Something that is to be woken at a time. All but `ring` is for `Alarms`. */
export interface Alarm {
  /** When it rings, whole ms. */
  alarmAt: number;
  /** Its place in the heap; NOT_SET while it does not wait. */
  alarmPlace: number;
  /** The time has come. Must not throw. */
  ring(): void;
}

export const NOT_SET = -1;

/**
 * The alarms of very many sessions over one timer of the clock: a binary heap, so that one that waits costs a place in an
 * array rather than a timer with its closures.
 */
export class Alarms {
  readonly clock: Clock;
  readonly #heap: Alarm[] = [];
  #timerAt = Number.POSITIVE_INFINITY;
  #cancelTimer: Cancel | undefined;
  #turn = 0;
  #turnAt = 0;
  #turnEnds = false;
  #atTurnEnd: Alarm[] = [];
  #soon: Alarm[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Which turn of the event loop this is, counting those in which this was asked. */
  get turn(): number {
    this.#beginTurn();
    return this.#turn;
  }

  /** What the clock said when `turn` or this was first asked in this turn of the event loop, ms: exact enough for whoever asks very often. */
  get turnAt(): number {
    this.#beginTurn();
    return this.#turnAt;
  }

  #beginTurn(): void {
    if (this.#turnEnds) return;
    this.#turnEnds = true;
    this.#turnAt = this.clock.now();
    this.clock.yield(this.#endTurn);
  }

  /** Has `alarm` ring when what runs now is done: one task for all that ask meanwhile. */
  soon(alarm: Alarm): void {
    if (this.#soon.push(alarm) === 1) this.clock.defer(this.#ringSoon);
  }

  /** Has `alarm` ring at the end of the turn that `turn` told of last. */
  atTurnEnd(alarm: Alarm): void {
    this.#atTurnEnd.push(alarm);
  }

  readonly #ringSoon = (): void => {
    const due = this.#soon;
    this.#soon = [];
    for (const alarm of due) alarm.ring();
  };

  readonly #endTurn = (): void => {
    this.#turnEnds = false;
    this.#turn++;
    const due = this.#atTurnEnd;
    this.#atTurnEnd = [];
    for (const alarm of due) alarm.ring();
  };

  /**
   * Has `alarm` ring at `at`, ms of the clock. One that is set to ring earlier is left alone: whoever it wakes finds
   * nothing to do and sets it again, which is cheaper than to move it with every packet.
   */
  set(alarm: Alarm, at: number): void {
    const place = alarm.alarmPlace;
    if (place !== NOT_SET && alarm.alarmAt <= at) return;
    alarm.alarmAt = Math.ceil(at);
    if (place === NOT_SET) this.#heap.push(alarm);
    this.#rise(alarm, place === NOT_SET ? this.#heap.length - 1 : place);
    this.#arm();
  }

  /** It does not ring. */
  cancel(alarm: Alarm): void {
    const place = alarm.alarmPlace;
    if (place === NOT_SET) return;
    alarm.alarmPlace = NOT_SET;
    const last = this.#heap.pop() as Alarm;
    if (last === alarm) return this.#arm();
    this.#rise(last, place);
    this.#sink(last, last.alarmPlace);
  }

  /** The timer, too, is left alone when it is early. Without alarms there is none, so that a program may end. */
  #arm(): void {
    const first = this.#heap[0];
    if (first && this.#timerAt <= first.alarmAt) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerAt = first ? first.alarmAt : Number.POSITIVE_INFINITY;
    if (!first) return;
    const wait = Math.max(0, Math.ceil(first.alarmAt - this.clock.now()));
    this.#cancelTimer = this.clock.schedule(wait, () => this.#ring());
  }

  #ring(): void {
    this.#cancelTimer = undefined;
    // No timer meanwhile; and one that is set again for now rings in another turn, so that others get theirs.
    this.#timerAt = Number.NEGATIVE_INFINITY;
    const now = this.clock.now();
    const due: Alarm[] = [];
    for (let first = this.#heap[0]; first && first.alarmAt <= now; first = this.#heap[0]) {
      this.cancel(first);
      due.push(first);
    }
    for (const alarm of due) if (alarm.alarmPlace === NOT_SET) alarm.ring();
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#arm();
  }

  /** Puts `alarm` in `place`, or as far above as its time asks for. */
  #rise(alarm: Alarm, place: number): void {
    let at = place;
    while (at > 0) {
      const parent = this.#heap[(at - 1) >> 1] as Alarm;
      if (parent.alarmAt <= alarm.alarmAt) break;
      this.#put(parent, at);
      at = (at - 1) >> 1;
    }
    this.#put(alarm, at);
  }

  /** Puts `alarm`, which stands in `place`, as far below as its time asks for. */
  #sink(alarm: Alarm, place: number): void {
    let at = place;
    for (;;) {
      let below = 2 * at + 1;
      const [left, right] = [this.#heap[below], this.#heap[below + 1]];
      if (left && right && right.alarmAt < left.alarmAt) below++;
      const child = this.#heap[below];
      if (!child || alarm.alarmAt <= child.alarmAt) break;
      this.#put(child, at);
      at = below;
    }
    this.#put(alarm, at);
  }

  #put(alarm: Alarm, place: number): void {
    this.#heap[place] = alarm;
    alarm.alarmPlace = place;
  }
}
