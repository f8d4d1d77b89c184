import type { Case } from './script.js';

/** CONNECT, and what ends a connection. */
export const CONNECT_CASES: readonly Case[] = [
  {
    name: 'the smallest CONNECT is accepted [MQTT-3.2.0-1]',
    levels: [3, 4],
    script: `
      3: A > 10 ( "MQIsdp" 03 02 000a "c%" )
      4: A > 10 ( "MQTT" 04 02 000a "c%" )
      A < 20 ( 00 00 )
      A quiet`,
  },
  {
    name: 'bits that MQTT 3.1 reserves may be set',
    levels: [3],
    script: `
      A > 1f ( "MQIsdp" 03 02 000a "c%" )
      A < 20 ( 00 00 )
      A > 8a ( 0001 "t%" 00 )
      A < 90 ( 0001 00 )`,
  },
  {
    name: 'a bridge of mosquitto hears nothing of its own, and what is to be kept',
    levels: [4],
    script: `
      A > 10 ( "MQTT" 84 02 000a "c%" )
      A < 20 ( 00 00 )
      A > 82 ( 0001 "t%" 00 )
      A < 90 ( 0001 00 )
      A > 30 ( "t%" 'x' )
      A quiet
      B connect d%
      B > 31 ( "t%" 'y' ) 31 ( "t%" )
      A < 31 ( "t%" 'y' ) 31 ( "t%" )`,
  },
  {
    name: 'an empty client identifier is replaced [MQTT-3.1.3-6]',
    levels: [4],
    script: `
      A > 10 ( "MQTT" 04 02 000a 0000 )
      A < 20 ( 00 00 )
      A quiet`,
  },
  {
    name: 'an empty client identifier and a session to keep are refused [3.1.1: MQTT-3.1.3-8]',
    levels: [3, 4],
    script: `
      3: A > 10 ( "MQIsdp" 03 00 000a 0000 )
      4: A > 10 ( "MQTT" 04 00 000a 0000 )
      A < 20 ( 00 02 )
      A closed`,
  },
  {
    name: 'another level is refused [3.1.1: MQTT-3.1.2-2]',
    script: `
      A > 10 ( "MQTT" 06 02 000a "c%" )
      A < 20 ( 00 01 )
      A closed
      B > 10 ( "MQTT" 02 02 000a "c%" )
      B < 20 ( 00 01 )
      B closed
      C > 10 ( "MQIsdp" 04 02 000a "c%" )
      C < 20 ( 00 01 )
      C closed`,
  },
  {
    name: 'another protocol gets no answer [MQTT-3.1.2-1]',
    script: `
      A > 10 ( "MQTU" 04 02 000a "c%" )
      A closed
      B > 10 ( "hj" 04 02 000a "c%" )
      B closed
      C > 'GET / HTTP/1.1' 0d0a0d0a
      C closed`,
  },
  {
    name: 'nothing but a CONNECT may come first [MQTT-3.1.0-1]',
    script: `
      A > 30 ( "t%" [ ] 'x' )
      A closed
      B > 82 ( 0001 [ ] "t%" 00 )
      B closed
      C > c0 ( )
      C closed
      D > e0 ( )
      D closed
      E > f0 ( )
      E closed
      F > 30 80808074
      F closed`,
  },
  {
    name: 'a CONNECT may not come twice [MQTT-3.1.0-2]',
    script: `
      A connect c%
      4: A > 10 ( "MQTT" 04 02 000a "c%" )
      5: A > 10 ( "MQTT" 05 02 000a ( ) "c%" )
      5: A < e0 ( 82 )
      A closed`,
  },
  {
    name: 'flags of CONNECT that cannot be get no answer [MQTT-3.1.2-3], -11, -13, -12, 3.1.1: -22',
    levels: [4],
    script: `
      A > 10 ( "MQTT" 04 03 000a "c%" )
      A closed
      B > 10 ( "MQTT" 04 0a 000a "c%" )
      B closed
      C > 10 ( "MQTT" 04 22 000a "c%" )
      C closed
      D > 10 ( "MQTT" 04 1e 000a "c%" "t%" "m" )
      D closed
      E > 10 ( "MQTT" 04 42 000a "c%" "pw" )
      E closed`,
  },
  {
    name: 'a CONNECT without some of its payload, or with more, gets no answer',
    levels: [4],
    script: `
      A > 10 ( "MQTT" 04 02 000a )
      A closed
      B > 10 ( "MQTT" 04 06 000a "c%" "t%" )
      B closed
      C > 10 ( "MQTT" 04 c2 000a "c%" "me" )
      C closed
      D > 10 ( "MQTT" 04 02 000a "c%" "more" )
      D closed`,
  },
  {
    name: 'the server tells what it takes [3.2.2.3]',
    levels: [5],
    script: `
      A > 10 ( "MQTT" 05 02 000a ( ) "c%" )
      A < 20 ( 00 00 ( 21 0800 22 0040 27 00100000 ) )
      // As long as it may be silent at most, if it would be longer.
      B > 10 ( "MQTT" 05 02 0078 ( ) "d%" )
      B < 20 ( 00 00 ( 13 003c 21 0800 22 0040 27 00100000 ) )`,
  },
  {
    name: 'a client identifier must be text [MQTT-1.5.4-1], [MQTT-1.5.4-2]',
    script: `
      4: A > 10 ( "MQTT" 04 02 000a 0003 eda080 )
      5: A > 10 ( "MQTT" 05 02 000a ( ) 0003 eda080 )
      A closed
      4: B > 10 ( "MQTT" 04 02 000a 0003 61 00 62 )
      5: B > 10 ( "MQTT" 05 02 000a ( ) 0003 61 00 62 )
      B closed`,
  },
  {
    name: 'properties of a CONNECT that cannot be are refused with why [MQTT-4.13.1-1]',
    levels: [5],
    script: `
      A > 10 ( "MQTT" 05 02 000a ( 11 00000001 11 00000001 ) "c%" )
      A < 20 ( 00 82 ( ) )
      A closed
      B > 10 ( "MQTT" 05 02 000a ( 21 0000 ) "c%" )
      B < 20 ( 00 82 ( ) )
      B closed
      C > 10 ( "MQTT" 05 02 000a ( 27 00000000 ) "c%" )
      C < 20 ( 00 82 ( ) )
      C closed
      D > 10 ( "MQTT" 05 02 000a ( 16 0001 00 ) "c%" )
      D < 20 ( 00 82 ( ) )
      D closed
      E > 10 ( "MQTT" 05 02 000a ( 04 01 ) "c%" )
      E < 20 ( 00 81 ( ) )
      E closed
      F > 10 ( "MQTT" 05 02 000a ( ) "c%" "more" )
      F < 20 ( 00 81 ( ) )
      F closed`,
  },
  {
    name: 'enhanced authentication is refused [MQTT-4.12.0-1]',
    levels: [5],
    script: `
      A > 10 ( "MQTT" 05 02 000a ( 15 "method" 16 "data" ) "c%" )
      A < 20 ( 00 8c ( ) )
      A closed
      B connect c%
      B > f0 ( 19 ( 15 "method" ) )
      B < e0 ( 82 )
      B closed`,
  },
  {
    name: 'a client that takes next to nothing gets no CONNACK [MQTT-3.1.2-24]',
    levels: [5],
    script: `
      A > 10 ( "MQTT" 05 02 000a ( 27 00000002 ) "c%" )
      A closed`,
  },
  {
    name: 'what comes at once behind a CONNECT is acted on [MQTT-3.1.4-6]',
    levels: [4],
    script: `
      A > 10 ( "MQTT" 04 02 000a "c%" ) 82 ( 0001 "t%" 01 ) 32 ( "t%" 0002 'x' ) c0 ( )
      A < 20 ( 00 00 )
      A < 90 ( 0001 01 )`,
  },
  {
    name: 'a CONNECT may come in pieces',
    levels: [4],
    script: `
      A > 10
      A > 10 00 04 'MQ'
      A > 'TT' 04 02 000a 00
      A > 04 'c%' c0 00
      A < 20 ( 00 00 )
      A < d0 ( )`,
  },
  {
    name: 'a ping is answered [MQTT-3.12.4-1]',
    script: `
      A connect c%
      A > c0 ( ) c0 ( )
      A < d0 ( ) d0 ( )
      A quiet`,
  },
  {
    name: 'DISCONNECT ends the connection [MQTT-3.14.4-1]',
    script: `
      A connect c%
      A > e0 ( )
      A closed`,
  },
  {
    name: 'what came before a fault is acted on, and nothing after it',
    script: `
      A connect c%
      A > 82 ( 0001 [ ] "t%" 00 ) 32 ( "t%" 0002 [ ] 'x' ) c1 ( ) c0 ( ) 30 ( "t%" [ ] 'y' )
      A < 90 ( 0001 [ ] 00 ) 30 ( "t%" [ ] 'x' ) 40 ( 0002 )
      5: A < e0 ( 81 )
      A closed`,
  },
  {
    name: 'what comes behind a DISCONNECT is not acted on [MQTT-3.14.4-1]',
    script: `
      A connect c%
      A > 82 ( 0001 [ ] "t%" 00 )
      A < 90 ( 0001 [ ] 00 )
      B connect d%
      B > 30 ( "t%" [ ] 'x' ) e0 ( ) 30 ( "t%" [ ] 'y' )
      B closed
      A < 30 ( "t%" [ ] 'x' )
      A quiet`,
  },
  {
    name: 'DISCONNECT may give any reason, and no session expiry where there was none [3.14.2.2.2]',
    levels: [5],
    script: `
      A connect c%
      A > e0 ( 00 ( 11 00000000 ) )
      A closed
      B connect c%
      B > e0 ( 98 ( 1f "bored" 26 "k" "v" ) )
      B closed
      C connect c%
      C > e0 ( 00 ( 11 00000001 ) )
      C < e0 ( 82 )
      C closed`,
  },
  {
    name: 'who comes later takes over [MQTT-3.1.4-3]',
    script: `
      A connect c%
      B connect c%
      5: A < e0 ( 8e )
      A closed
      B quiet`,
  },
  {
    name: 'a packet that only a server sends is a protocol error',
    script: `
      A connect c%
      A > 20 ( 00 00 [ ] )
      5: A < e0 ( 82 )
      A closed
      B connect c%
      B > d0 ( )
      5: B < e0 ( 82 )
      B closed
      C connect c%
      C > 90 ( 0001 [ ] 00 )
      5: C < e0 ( 82 )
      C closed
      D connect c%
      D > 00 ( )
      5: D < e0 ( 82 )
      D closed`,
  },
  {
    name: 'flags that are reserved must be 0 [MQTT-2.1.3-1]',
    script: `
      A connect c%
      A > c1 ( )
      5: A < e0 ( 81 )
      A closed
      B connect c%
      B > 80 ( 0001 [ ] "t%" 00 )
      5: B < e0 ( 81 )
      B closed
      C connect c%
      C > e1 ( )
      5: C < e0 ( 81 )
      C closed
      D connect c%
      D > 60 ( 0001 )
      5: D < e0 ( 81 )
      D closed`,
  },
  {
    name: 'a length has four bytes at most [2.1.4]',
    script: `
      A connect c%
      A > 30 ffffffff 01
      5: A < e0 ( 81 )
      A closed`,
  },
  {
    name: 'a packet that is too large is refused when it is announced [3.2.2.3.6]',
    script: `
      A connect c%
      A > 30 ffffff7f
      5: A < e0 ( 95 )
      A closed`,
  },
];
