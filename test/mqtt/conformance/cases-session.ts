import type { Case } from './script.js';

/** What outlives a connection: sessions, and wills. */
export const SESSION_CASES: readonly Case[] = [
  {
    name: 'a session goes on [MQTT-3.1.2-5], [MQTT-3.2.2-2], with what it missed',
    script: `
      A connect c% kept
      A > 82 ( 0001 [ ] "t%" 01 )
      A < 90 ( 0001 [ ] 01 )
      A > e0 ( )
      A closed
      B connect d%
      B > 32 ( "t%" 0001 [ ] 'x' )
      B < 40 ( 0001 )
      C connect c% kept resumed
      C < 32 ( "t%" 0001 [ ] 'x' )
      C > 40 ( 0001 )
      C quiet`,
  },
  {
    name: 'a clean start ends it [MQTT-3.1.2-4], [MQTT-3.2.2-3]',
    script: `
      A connect c% kept
      A > 82 ( 0001 [ ] "t%" 01 )
      A < 90 ( 0001 [ ] 01 )
      A > e0 ( )
      A closed
      B connect c%
      B > 30 ( "t%" [ ] 'x' )
      B quiet
      B > e0 ( )
      B closed
      C connect c% kept
      C > 30 ( "t%" [ ] 'x' )
      C quiet
      C > e0 ( )
      C closed
      D connect c%
      D > e0 ( )
      D closed`,
  },
  {
    name: 'a session without an expiry ends with its connection [3.1.2.11.2]',
    levels: [5],
    script: `
      A > 10 ( "MQTT" 05 00 0000 ( ) "c%" )
      A accepted
      A > 82 ( 0001 ( ) "t%" 01 )
      A < 90 ( 0001 ( ) 01 )
      A > e0 ( )
      A closed
      C connect c% kept
      C > e0 ( 00 ( 11 00000000 ) )
      C closed
      D connect c% kept
      D > e0 ( )
      D closed`,
  },
  {
    name: 'what was not acknowledged comes again, as a duplicate, in order [MQTT-4.4.0-1], [MQTT-4.6.0-1]',
    script: `
      A connect c% kept
      A > 82 ( 0001 [ ] "t%" 02 )
      A < 90 ( 0001 [ ] 02 )
      B connect d%
      B > 32 ( "t%" 0001 [ ] '1' ) 34 ( "t%" 0002 [ ] '2' )
      B < 40 ( 0001 ) 50 ( 0002 )
      B > 62 ( 0002 )
      B < 70 ( 0002 )
      A < 32 ( "t%" 0001 [ ] '1' ) 34 ( "t%" 0002 [ ] '2' )
      A drop
      C connect c% kept resumed
      C < 3a ( "t%" 0001 [ ] '1' ) 3c ( "t%" 0002 [ ] '2' )
      C > 40 ( 0001 ) 50 ( 0002 )
      C < 62 ( 0002 )
      C drop
      // A PUBREL comes again, too.
      D connect c% kept resumed
      D < 62 ( 0002 )
      D > 70 ( 0002 )
      D quiet
      D > e0 ( )
      D closed
      E connect c% kept resumed
      E quiet
      E > e0 ( )
      E closed
      F connect c%
      F > e0 ( )
      F closed`,
  },
  {
    name: 'a will is published when the connection is lost [MQTT-3.1.2-8], and not after DISCONNECT [MQTT-3.14.4-3]',
    script: `
      W connect w%
      W > 82 ( 0001 [ ] "t%" 00 )
      W < 90 ( 0001 [ ] 00 )
      4: B > 10 ( "MQTT" 04 06 0000 "c%" "t%" "lost" )
      5: B > 10 ( "MQTT" 05 06 0000 ( ) "c%" ( ) "t%" "lost" )
      B accepted
      B drop
      W < 30 ( "t%" [ ] 'lost' )
      4: C > 10 ( "MQTT" 04 06 0000 "c%" "t%" "left" )
      5: C > 10 ( "MQTT" 05 06 0000 ( ) "c%" ( ) "t%" "left" )
      C accepted
      C > e0 ( )
      D connect d%
      D quiet
      W quiet`,
  },
  {
    name: 'a will is published after a protocol error, too [3.1.2.5]',
    script: `
      W connect w%
      W > 82 ( 0001 [ ] "t%" 00 )
      W < 90 ( 0001 [ ] 00 )
      4: A > 10 ( "MQTT" 04 06 0000 "c%" "t%" "gone" )
      5: A > 10 ( "MQTT" 05 06 0000 ( ) "c%" ( ) "t%" "gone" )
      A accepted
      A > 00 ( )
      5: A < e0 ( 82 )
      A closed
      W < 30 ( "t%" [ ] 'gone' )`,
  },
  {
    name: 'a will has QoS, retain and properties [MQTT-3.1.2-14], [MQTT-3.1.2-15]',
    levels: [5],
    script: `
      W connect w%
      W > 82 ( 0001 ( ) "t%" 09 )
      W < 90 ( 0001 ( ) 01 )
      A > 10 ( "MQTT" 05 2e 0000 ( ) "c%" ( 01 01 03 "text" 08 "r" 09 0001 ff 26 "k" "v" ) "t%" "gone" )
      A accepted
      A > e0 ( 04 )
      A closed
      W < 33 ( "t%" 0001 ( 01 01 03 "text" 08 "r" 09 0001 ff 26 "k" "v" ) 'gone' )
      W > 40 ( 0001 )
      W > 31 ( "t%" ( ) )
      W < 31 ( "t%" ( ) )`,
  },
  {
    name: 'a will is published when another takes over [MQTT-3.1.4-3], unless it is to wait and the session goes on',
    script: `
      W connect w%
      W > 82 ( 0001 [ ] "t%" 00 )
      W < 90 ( 0001 [ ] 00 )
      4: A > 10 ( "MQTT" 04 04 0000 "c%" "t%" "gone" )
      5: A > 10 ( "MQTT" 05 04 0000 ( 11 0000003c ) "c%" ( ) "t%" "gone" )
      A accepted
      B connect c% kept resumed
      5: A < e0 ( 8e )
      A closed
      W < 30 ( "t%" [ ] 'gone' )
      B > e0 ( )
      B closed
      C connect c%
      C > e0 ( )
      C closed`,
  },
  {
    name: 'a will that is to wait is not published if the session goes on [MQTT-3.1.3-9]',
    levels: [5],
    script: `
      W connect w%
      W > 82 ( 0001 ( ) "t%" 00 )
      W < 90 ( 0001 ( ) 00 )
      A > 10 ( "MQTT" 05 04 0000 ( 11 0000003c ) "c%" ( 18 0000003c ) "t%" "gone" )
      A accepted
      A drop
      B connect c% kept resumed
      W quiet
      // Its session ends: no need to wait any longer.
      C > 10 ( "MQTT" 05 04 0000 ( 11 0000003c ) "e%" ( 18 0000003c ) "t%" "over" )
      C accepted
      C drop
      D connect e%
      W < 30 ( "t%" ( ) 'over' )
      B > e0 ( 00 ( 11 00000000 ) )
      B closed`,
  },
];
