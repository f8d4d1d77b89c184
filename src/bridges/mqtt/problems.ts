import { nameOfReason, REASON, RETURN_CODE } from '../../mqtt/wire/reason-codes.js';
import { type RefusalReason, UpstreamError, type UpstreamErrorCode } from '../upstream.js';

/** Who this is to the broker, and who the broker is, for what is said to people. */
export interface Where {
  /** `mqtt://broker:1883` */
  readonly server: string;
  readonly host: string;
  readonly clientId: string;
  readonly username: string | undefined;
  /** The version that is spoken. */
  readonly version: '3.1.1' | 5;
}

const OF_BROKER: ReadonlySet<number> = new Set([
  REASON.serverBusy,
  REASON.serverShuttingDown,
  REASON.keepAliveTimeout,
  REASON.sessionTakenOver,
  REASON.messageRateTooHigh,
  REASON.quotaExceeded,
  REASON.administrativeAction,
  REASON.useAnotherServer,
  REASON.serverMoved,
  REASON.connectionRateExceeded,
  REASON.maximumConnectTime,
]);

export type Problem = readonly [code: UpstreamErrorCode, text: string];

/** Why the broker refused a CONNECT. `code`: a return code of 3.1.1, or a reason code of 5. */
export function connackProblem(where: Where, code: number, said: string | undefined): UpstreamError {
  const [kind, text] =
    where.version === 5 && code >= 0x80 ? refusedIn5(where, code) : refusedIn3(where, code);
  return problemAt(where, kind, text + quoted(said));
}

function refusedIn3(where: Where, code: number): Problem {
  switch (code) {
    case RETURN_CODE.unacceptableProtocolVersion:
      return where.version === 5
        ? ['unsuitable', 'it does not speak MQTT 5: write "version: 3.1.1"']
        : ['unsuitable', 'it takes no bridges in MQTT 3.1.1: write "version: 5"'];
    case RETURN_CODE.identifierRejected:
      return ['unsuitable', `it does not take the client_id ${where.clientId}: write another`];
    case RETURN_CODE.serverUnavailable:
      return ['unreachable', 'it says that it is not available'];
    case RETURN_CODE.badUserNameOrPassword:
    case RETURN_CODE.notAuthorized:
      return ['login_refused', loginRefused(where)];
    default:
      return ['unsuitable', `it refused to connect (code ${code})`];
  }
}

function refusedIn5(where: Where, code: number): Problem {
  switch (code) {
    case REASON.unsupportedProtocolVersion:
      return refusedIn3(where, RETURN_CODE.unacceptableProtocolVersion);
    case REASON.clientIdentifierNotValid:
      return refusedIn3(where, RETURN_CODE.identifierRejected);
    case REASON.badUserNameOrPassword:
    case REASON.notAuthorized:
    case REASON.badAuthenticationMethod:
      return ['login_refused', loginRefused(where)];
    case REASON.banned:
      return ['login_refused', `it has banned ${where.username ?? where.clientId}`];
    case REASON.useAnotherServer:
    case REASON.serverMoved:
      return ['unsuitable', 'it sends us to another server: write that as url'];
    case REASON.serverUnavailable:
    case REASON.serverBusy:
    case REASON.serverShuttingDown:
    case REASON.quotaExceeded:
    case REASON.connectionRateExceeded:
      return ['unreachable', `it takes no connection now (${nameOfReason(code)})`];
    default:
      return ['unsuitable', `it refused to connect (${nameOfReason(code)})`];
  }
}

function loginRefused({ username }: Where): string {
  return username === undefined
    ? 'it wants a login: write username and password_file'
    : `it refused the login of "${username}": check username and password_file`;
}

/** Why the broker ended a connection (MQTT 5, 3.14.2.1). */
export function disconnectProblem(where: Where, code: number, said: string | undefined): UpstreamError {
  const also = quoted(said);
  switch (code) {
    case REASON.sessionTakenOver:
      return problemAt(
        where,
        'taken_over',
        `another client connected as ${where.clientId}: give each gateway a name, or each bridge a client_id, of its own${also}`,
      );
    case REASON.notAuthorized:
    case REASON.administrativeAction:
      return problemAt(where, 'login_refused', `it ended the connection (${nameOfReason(code)})${also}`);
    default:
      return problemAt(where, 'unreachable', `it ended the connection (${nameOfReason(code)})${also}`);
  }
}

/** Whether the broker ended a connection for something that no message is to blame for. */
export function isOfBroker(code: number): boolean {
  return OF_BROKER.has(code);
}

/** What the broker said of a message that it will not take; undefined where it only has no room now. */
export function refusal(
  { clientId, username }: Where,
  name: string,
  code: number,
  said: string | undefined,
): readonly [RefusalReason, why: string] | undefined {
  const also = quoted(said);
  switch (code) {
    case REASON.quotaExceeded:
    case REASON.messageRateTooHigh:
    case REASON.serverBusy:
    case REASON.receiveMaximumExceeded:
      return undefined;
    case REASON.notAuthorized:
      return [
        'forbidden',
        `the broker does not let ${username ?? clientId} publish on ${name}: allow it there, or change the rule${also}`,
      ];
    case REASON.packetTooLarge:
      return ['too_large', `the broker does not take so large a message on ${name}${also}`];
    case REASON.topicNameInvalid:
      return ['bad_name', `the broker does not take the name ${name}${also}`];
    default:
      return [
        'upstream_refused',
        `the broker does not take a message on ${name} (${nameOfReason(code)})${also}`,
      ];
  }
}

/** Why a subscription was refused (MQTT 5, 3.9.3). 3.1.1 knows but one code. */
export function subscriptionRefused(
  { clientId, username, version }: Where,
  pattern: string,
  code: number,
): string {
  const why = version === 5 ? ` (${nameOfReason(code)})` : '';
  return `the broker does not let ${username ?? clientId} subscribe to ${pattern}${why}: allow it there, or change the rule`;
}

export function problemAt(
  { server }: Where,
  code: UpstreamErrorCode,
  text: string,
  cause?: unknown,
): UpstreamError {
  return new UpstreamError(code, `${server}: ${text}`, { cause });
}

/** A broker's own words, on one line and not too many. */
function quoted(said: string | undefined): string {
  return said === undefined || said === '' ? '' : `; it says ${JSON.stringify(said.slice(0, 200))}`;
}
