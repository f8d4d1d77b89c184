import type { MessageProperties } from '../../router/message.js';
import type { Qos } from '../../wire/messages.js';

/** As CONNECT says it: 3 is MQTT 3.1 ("MQIsdp"), 4 is 3.1.1, 5 is 5.0. */
export type ProtocolLevel = 3 | 4 | 5;

/** Properties of PUBLISH (MQTT 5, 3.3.2.3). */
export interface PublishProperties extends MessageProperties {
  /** s */
  readonly messageExpiry?: number;
  readonly topicAlias?: number;
  /** One or more in what a server sends; a client must not send any ([MQTT-3.3.4-6]). */
  readonly subscriptionIdentifiers?: readonly number[];
}

/** What any answer may say to people (MQTT 5). */
export interface AnswerProperties {
  readonly reasonString?: string;
  readonly userProperties?: readonly (readonly [name: string, value: string])[];
}

export interface Will {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly properties: MessageProperties & {
    /** s */
    readonly willDelay?: number;
    /** s */
    readonly messageExpiry?: number;
  };
}

export interface Connect {
  readonly type: 'connect';
  readonly level: ProtocolLevel;
  /** The top bit of the level byte: mosquitto's bridges set it in the levels before 5, to have what there are options for in 5. */
  readonly bridge: boolean;
  readonly clientId: string;
  /** Clean session in 3.1 and 3.1.1. */
  readonly cleanStart: boolean;
  /** s; 0 is off */
  readonly keepAlive: number;
  readonly will: Will | undefined;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
  readonly properties: {
    /** s; 0xffffffff is for ever */
    readonly sessionExpiry?: number;
    readonly receiveMaximum?: number;
    readonly maximumPacketSize?: number;
    readonly topicAliasMaximum?: number;
    readonly requestResponseInformation?: boolean;
    readonly requestProblemInformation?: boolean;
    readonly userProperties?: readonly (readonly [name: string, value: string])[];
    readonly authenticationMethod?: string;
    readonly authenticationData?: Uint8Array;
  };
}

export interface Connack {
  readonly type: 'connack';
  /** Never with a code other than 0 [MQTT-3.2.2-6]. */
  readonly sessionPresent: boolean;
  /** A return code of 3.1.1 (0 to 5, see `returnCodeOf`), or a reason code of 5. */
  readonly code: number;
  readonly properties: AnswerProperties & {
    readonly sessionExpiry?: number;
    readonly receiveMaximum?: number;
    readonly maximumQos?: 0 | 1;
    readonly retainAvailable?: boolean;
    readonly maximumPacketSize?: number;
    readonly assignedClientId?: string;
    readonly topicAliasMaximum?: number;
    readonly wildcardSubscriptionAvailable?: boolean;
    readonly subscriptionIdentifiersAvailable?: boolean;
    readonly sharedSubscriptionAvailable?: boolean;
    readonly serverKeepAlive?: number;
    readonly responseInformation?: string;
    readonly serverReference?: string;
    readonly authenticationMethod?: string;
    readonly authenticationData?: Uint8Array;
  };
}

export interface Publish {
  readonly type: 'publish';
  readonly dup: boolean;
  readonly qos: Qos;
  readonly retain: boolean;
  /** Empty only with a topic alias. */
  readonly topic: string;
  /** 0 with QoS 0. */
  readonly id: number;
  /** A part of what was read: copy what is kept. */
  readonly payload: Uint8Array;
  /** Undefined where there are none, as always in 3.1.1. */
  readonly properties: PublishProperties | undefined;
}

/** PUBACK, PUBREC, PUBREL and PUBCOMP. */
export interface Acknowledgement {
  readonly type: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp';
  readonly id: number;
  /** 0 in 3.1.1, which carries none. */
  readonly code: number;
  readonly properties: AnswerProperties;
}

export interface SubscriptionRequest {
  readonly filter: string;
  readonly qos: Qos;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** 0: send retained messages; 1: only if the subscription is new; 2: none. */
  readonly retainHandling: 0 | 1 | 2;
}

export interface Subscribe {
  readonly type: 'subscribe';
  readonly id: number;
  readonly subscriptions: readonly SubscriptionRequest[];
  readonly properties: {
    readonly subscriptionIdentifier?: number;
    readonly userProperties?: readonly (readonly [name: string, value: string])[];
  };
}

export interface Unsubscribe {
  readonly type: 'unsubscribe';
  readonly id: number;
  readonly filters: readonly string[];
  readonly properties: { readonly userProperties?: readonly (readonly [name: string, value: string])[] };
}

/** `codes`: one for each request, in order; UNSUBACK of 3.1.1 carries none. */
export interface SubscribeAnswer {
  readonly type: 'suback' | 'unsuback';
  readonly id: number;
  readonly codes: readonly number[];
  readonly properties: AnswerProperties;
}

export interface Ping {
  readonly type: 'pingreq' | 'pingresp';
}

export interface Disconnect {
  readonly type: 'disconnect';
  /** 0 in 3.1.1, which carries none. */
  readonly code: number;
  readonly properties: AnswerProperties & {
    readonly sessionExpiry?: number;
    readonly serverReference?: string;
  };
}

/** What a client may send; an AUTH may only follow a CONNECT that asks for enhanced authentication, which is refused. */
export type ClientPacket =
  | Connect
  | Publish
  | Acknowledgement
  | Subscribe
  | Unsubscribe
  | (Ping & { readonly type: 'pingreq' })
  | Disconnect;

/** What a server may send, but for AUTH. */
export type ServerPacket =
  | Connack
  | Publish
  | Acknowledgement
  | SubscribeAnswer
  | (Ping & { readonly type: 'pingresp' })
  | Disconnect;
