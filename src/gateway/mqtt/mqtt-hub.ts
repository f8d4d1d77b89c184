import { randomUUID } from 'node:crypto';
import type { Access } from '../../access/access.js';
import type { Admission, Admitted } from '../../access/principal.js';
import type { Clock } from '../../clock.js';
import type { Counters } from '../../counters.js';
import { Deadlines } from '../../deadlines.js';
import type { ByteLink, ByteLinkEvents } from '../../links/byte-link.js';
import { encode } from '../../mqtt/wire/encode.js';
import type { Connect, Disconnect } from '../../mqtt/wire/packets.js';
import { REASON } from '../../mqtt/wire/reason-codes.js';
import type { Router } from '../../router/router.js';
import type { QueueLimits } from '../../session/contract.js';
import type { StoredMqttSession } from '../../store/mqtt-records.js';
import type { Store } from '../../store/store.js';
import { OFFER_MS } from '../../wire/limits.js';
import type { Commons } from '../commons.js';
import { grantRights } from '../grant-rights.js';
import { RETURN_MS } from '../presence.js';
import { NO_WILL } from '../wills.js';
import { type ConnectRefusal, refusalCode, refusedWill, willOf } from './connect.js';
import { MqttConnection, type MqttKeeper } from './mqtt-connection.js';
import { MqttSession, type MqttSessionContext } from './mqtt-session.js';
import { Terms, type TermsLimits, TOPIC_ALIAS_MAXIMUM } from './terms.js';

export interface MqttLimits extends TermsLimits {
  readonly queue: QueueLimits;
  /** Unsent bytes a connection, beyond which QoS 0 is dropped. */
  readonly backlog: number;
}

export interface MqttHubContext {
  readonly router: Router;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly limits: MqttLimits;
  readonly commons: Commons;
  readonly access: Access;
  /** Where sessions are kept, if they are to outlive the process. */
  readonly store?: Store;
}

/** The MQTT clients: their connections and sessions, who takes over from whom (MQTT 5, 3.1.4). */
export class MqttHub implements MqttKeeper {
  readonly #context: MqttHubContext;
  readonly #sessions = new Map<string, MqttSession>();
  readonly #connections = new Set<MqttConnection>();
  /** Connections without a session. */
  readonly #unused: Deadlines<MqttConnection>;
  readonly #sessionContext: MqttSessionContext;
  readonly #terms: Terms;
  readonly #stopReviewing: () => void;
  #stopped = false;

  constructor(context: MqttHubContext) {
    this.#context = context;
    const { commons, clock, limits } = context;
    const { held, wills, turns } = commons;
    this.#terms = new Terms(limits);
    this.#stopReviewing = context.access.watch(() => this.#review());
    this.#unused = new Deadlines(clock, OFFER_MS, (connection) =>
      connection.hangUp('it sent no CONNECT in time'),
    );
    this.#sessionContext = {
      store: undefined,
      ...context,
      turns,
      limits: { ...limits, topicAliasMaximum: TOPIC_ALIAS_MAXIMUM },
      keeper: {
        will: (session, will) => wills.set(session, will),
        rightsOf: (principal) => context.access.review(principal).rights,
        isWillDue: (session) => wills.stateOf(session).due,
        full: (session, bytes, sinceMs, first) => held.full(session, bytes, sinceMs, first),
        evict: (session) => this.#evict(session),
      },
    };
  }

  get sessions(): ReadonlyMap<string, MqttSession> {
    return this.#sessions;
  }

  get connections(): ReadonlySet<MqttConnection> {
    return this.#connections;
  }

  /** Takes on a connection. What it receives goes to the events returned, until it closes. */
  attach(link: ByteLink): ByteLinkEvents {
    const { commons, limits } = this.#context;
    const { alarms, turns } = commons;
    const connection = new MqttConnection(link, {
      ...this.#context,
      alarms,
      turns,
      keeper: this,
      maxPacket: limits.maxPacket,
      backlog: limits.backlog,
    });
    this.#connections.add(connection);
    this.#unused.start(connection);
    return connection;
  }

  /** Takes up the sessions that the store kept: all are absent, and have what was left of their time to come back. */
  restore(stored: readonly StoredMqttSession[]): void {
    const { commons, store } = this.#context;
    for (const one of stored) {
      const session = MqttSession.restore(one, this.#sessionContext);
      this.#sessions.set(session.clientId, session);
      commons.places.enter(session, undefined);
    }
    const now = store?.time() ?? 0;
    for (const { clientId, state } of stored) {
      const session = this.#sessions.get(clientId);
      if (!session) continue;
      // It went down with the gateway, or could not come back meanwhile: it has a while for that.
      if (state.willDue || state.expiresAt === null)
        commons.wills.lost(session, Math.max(RETURN_MS, state.willDelayMs));
      const left = (state.expiresAt ?? now + session.expiryMs) - now;
      if (left > 0) this.#expireIn(session, left);
      else this.#end(session);
    }
  }

  /** Rules or users have changed: what each may do is asked anew, and who is not let in any more loses its connection. */
  #review(): void {
    for (const session of this.#sessions.values()) {
      const { rights, admitted } = this.#context.access.review(session.principal);
      session.rights = rights;
      if (!admitted) session.connection?.fails(REASON.notAuthorized, 'it may not connect any more');
    }
    this.#context.router.forgetRights();
  }

  /** Says goodbye to everyone. */
  stop(): void {
    this.#stopped = true;
    this.#stopReviewing();
    this.#unused.stopAll();
    for (const connection of this.#connections)
      connection.fails(REASON.serverShuttingDown, 'the gateway stops');
  }

  // ------------------------------------------------------------------------------------------- the beginnings

  connect(connection: MqttConnection, packet: Connect): void {
    const { username, password, clientId, properties } = packet;
    // Enhanced authentication is not offered ([MQTT-4.12.0-1]).
    if (properties.authenticationMethod !== undefined) return refuse(connection, 'bad_method');
    const { name, party, secure } = connection.link;
    const admission = this.#context.access.admit({
      device: clientId === '' ? undefined : clientId,
      user: username,
      secret: password,
      certificate: secure?.user,
      serial: false,
      party,
      link: name,
    });
    if (!(admission instanceof Promise)) return this.#judge(connection, packet, admission);
    void admission.then((judged) => {
      if (this.#connections.has(connection)) this.#judge(connection, packet, judged);
    });
  }

  #judge(connection: MqttConnection, packet: Connect, admission: Admission): void {
    if (admission.refused !== undefined) return refuse(connection, admission.refused);
    const problem = this.#problemOf(connection, packet, admission);
    if (problem !== undefined) return refuse(connection, problem);
    this.#open(connection, packet, admission);
  }

  /** Why it is refused. What stands under its client id hears nothing of that. */
  #problemOf(
    { link }: MqttConnection,
    { clientId, will }: Connect,
    { principal, rights }: Admitted,
  ): ConnectRefusal | undefined {
    const { store, commons, counters, access } = this.#context;
    // The log says why, once.
    if (store?.failing) return 'not_stored';
    const standing = this.#sessions.get(clientId);
    if (standing && !access.mayTakeOver(standing.principal, principal)) {
      counters.add('session.identity_collisions');
      commons.peerLog.warn(
        { identity: standing.identity, link: link.name },
        `the session of ${standing.identity} belongs to another: ${link.name} is refused`,
      );
      return 'identity_in_use';
    }
    if (!standing && !commons.places.hasRoom(link.party)) return 'limit_reached';
    const refusal = commons.wills.refusalOf(willOf(will), rights, standing);
    return refusal && refusedWill(refusal);
  }

  #open(connection: MqttConnection, packet: Connect, { principal, rights }: Admitted): void {
    const { commons } = this.#context;
    const clientId = packet.clientId || `auto-${randomUUID()}`;
    const standing = this.#takeOver(clientId, packet.cleanStart);
    const expiryMs = this.#terms.expiryOf(packet);
    if (!standing) commons.makeRoom(connection.link.party);
    const session = standing ?? new MqttSession(clientId, expiryMs > 0, this.#sessionContext);
    this.#sessions.set(clientId, session);
    commons.wills.reconnected(session);
    commons.places.returned(session);
    commons.places.enter(session, connection.link.party);
    session.principal = principal;
    grantRights(session, rights, this.#context.router);
    session.expiryMs = expiryMs;
    // It was judged with the rest (`#problemOf`): what happened since can only have made room for it.
    session.leaveWill(willOf(packet.will));
    session.willDelayMs = (packet.will?.properties.willDelay ?? 0) * 1000;
    this.#unused.stop(connection);
    session.take(connection);
    connection.admitted(session, this.#terms.keepAliveOf(packet));
    const connack = encode(
      this.#terms.connack(packet, session, standing !== undefined),
      packet.level,
      connection.maximumPacketSize,
    );
    // [MQTT-3.1.2-24]
    if (!connack) return connection.hangUp('it takes no packet as large as a CONNACK');
    session.send(connack);
    session.begin(connection, packet);
    const { identity } = session;
    commons.peerLog.info(
      { identity, link: connection.link.name, resumed: standing !== undefined },
      `${identity} is online on ${connection.link.name}${standing ? ', resumed' : ''}`,
    );
  }

  /** The session that goes on, if one does ([MQTT-3.1.2-4], [MQTT-3.1.2-5]); its old connection is closed ([MQTT-3.1.4-3]). */
  #takeOver(clientId: string, cleanStart: boolean): MqttSession | undefined {
    this.#sessions
      .get(clientId)
      ?.connection?.fails(REASON.sessionTakenOver, 'the same client id connected elsewhere');
    // It may have ended with its connection.
    const standing = this.#sessions.get(clientId);
    if (!standing) return undefined;
    if (cleanStart) {
      this.#end(standing);
      return undefined;
    }
    return standing;
  }

  // ------------------------------------------------------------------------------------------------ the ends

  disconnect(connection: MqttConnection, { code, properties }: Disconnect): void {
    const { session } = connection;
    if (!session) return connection.hangUp('it left before it had come');
    const { sessionExpiry } = properties;
    if (sessionExpiry !== undefined) {
      // [MQTT-3.14.2-2]
      if (session.expiryMs === 0 && sessionExpiry > 0)
        return connection.fails(REASON.protocolError, 'its session was to end with its connection');
      session.expiryMs = this.#terms.expiry(sessionExpiry);
    }
    // [MQTT-3.14.4-3]: who leaves properly leaves no will behind.
    if (code === REASON.success) session.leaveWill(NO_WILL);
    connection.hangUp(code === REASON.success ? 'left' : `left (0x${code.toString(16)})`);
  }

  closed(connection: MqttConnection, why: string): void {
    this.#connections.delete(connection);
    this.#unused.stop(connection);
    const { session, link } = connection;
    if (!session || session.connection !== connection) return;
    const { commons } = this.#context;
    const { identity } = session;
    session.detach();
    // It went down with the gateway: at the next start it is missed.
    if (this.#stopped) return;
    commons.peerLog.info({ identity }, `${identity} is offline: ${link.name}: ${why}`);
    commons.wills.lost(session, session.willDelayMs);
    if (session.expiryMs > 0) this.#expireIn(session, session.expiryMs);
    else this.#end(session);
  }

  #expireIn(session: MqttSession, ms: number): void {
    const { clock, commons } = this.#context;
    const { identity } = session;
    const expire = () => {
      commons.peerLog.info({ identity }, `the session of ${identity} has expired`);
      this.#end(session);
    };
    session.offline(ms);
    commons.places.absent(session, clock.schedule(ms, expire));
  }

  /** Its place is wanted, or its queue is full. */
  #evict(session: MqttSession): void {
    session.connection?.fails(REASON.quotaExceeded, 'its queue is full (limits.queue)');
    if (this.#sessions.get(session.clientId) === session) this.#end(session);
  }

  #end(session: MqttSession): void {
    const { commons, counters } = this.#context;
    commons.wills.ended(session);
    if (this.#sessions.get(session.clientId) === session) this.#sessions.delete(session.clientId);
    commons.places.leave(session);
    if (session.pending > 0) counters.add('session.drop.session_ended', session.pending);
    session.end();
  }
}

function refuse(connection: MqttConnection, refusal: ConnectRefusal): void {
  connection.refuse(refusalCode(refusal, connection.level), refusal);
}
