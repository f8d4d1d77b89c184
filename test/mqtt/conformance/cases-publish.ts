import type { Case } from './script.js';

/** The receive maximum of the server: packet identifiers from 0001 to 0800. */
const MANY = Array.from({ length: 0x800 }, (_, index) => (index + 1).toString(16).padStart(4, '0'));

/** PUBLISH of clients, and how it goes on. */
export const PUBLISH_CASES: readonly Case[] = [
  {
    name: 'QoS 0 is not acknowledged [MQTT-4.3.1-1]',
    script: `
      A connect c%
      A > 30 ( "t%" [ ] 'x' )
      A quiet`,
  },
  {
    name: 'QoS 1 is acknowledged [MQTT-4.3.2-4]',
    script: `
      A connect c%
      A > 82 ( 0001 [ ] "t%" 00 )
      A < 90 ( 0001 [ ] 00 )
      B connect d%
      B > 32 ( "t%" 1234 [ ] 'x' )
      B < 40 ( 1234 )
      B quiet
      A < 30 ( "t%" [ ] 'x' )
      // Though it says that it is a duplicate: the server cannot know better [MQTT-4.3.2-5].
      B > 3a ( "t%" 1234 [ ] 'x' )
      B < 40 ( 1234 )
      A < 30 ( "t%" [ ] 'x' )`,
  },
  {
    name: 'QoS 1 that nobody hears is acknowledged, too [3.4.2.1]',
    script: `
      A connect c%
      A > 32 ( "t%" 1234 [ ] 'x' )
      4: A < 40 ( 1234 )
      5: A < 40 ( 1234 10 )
      A quiet`,
  },
  {
    name: 'QoS 2 is received, released and complete [MQTT-4.3.3-8], -10, -11',
    script: `
      A connect c%
      A > 82 ( 0001 [ ] "t%" 00 )
      A < 90 ( 0001 [ ] 00 )
      B connect d%
      B > 34 ( "t%" 1234 [ ] 'x' )
      B < 50 ( 1234 )
      // Again, and it is the same: it is not delivered twice [MQTT-4.3.3-10].
      B > 3c ( "t%" 1234 [ ] 'x' )
      B < 50 ( 1234 )
      B > 34 ( "t%" 1234 [ ] 'x' )
      B < 50 ( 1234 )
      B > 62 ( 1234 )
      B < 70 ( 1234 )
      A < 30 ( "t%" [ ] 'x' )
      A quiet
      // The identifier is free now [MQTT-4.3.3-12].
      B > 34 ( "t%" 1234 [ ] 'y' )
      B < 50 ( 1234 )
      B > 62 ( 1234 )
      B < 70 ( 1234 )
      A < 30 ( "t%" [ ] 'y' )`,
  },
  {
    name: 'a PUBREL for nothing is completed [3.7.2.1]',
    script: `
      A connect c%
      A > 62 ( 1234 )
      4: A < 70 ( 1234 )
      5: A < 70 ( 1234 92 )
      A quiet`,
  },
  {
    name: 'a QoS 2 message outlives the connection [MQTT-4.4.0-1], [4.1]',
    script: `
      A connect c% kept
      A > 34 ( "t%" 1234 [ ] 'x' )
      A < 50 ( 1234 )
      A drop
      B connect c% kept resumed
      B > 3c ( "t%" 1234 [ ] 'x' )
      B < 50 ( 1234 )
      B > 62 ( 1234 )
      B < 70 ( 1234 )
      B quiet`,
  },
  {
    name: 'an acknowledgement of nothing is ignored',
    script: `
      A connect c%
      A > 40 ( 1234 ) 70 ( 1234 )
      A quiet`,
  },
  {
    name: 'a PUBREC for nothing is released [4.3.3], unless it tells of failure',
    script: `
      A connect c%
      A > 50 ( 1234 )
      4: A < 62 ( 1234 )
      5: A < 62 ( 1234 92 )
      5: A > 50 ( 1234 80 )
      A quiet`,
  },
  {
    name: 'a QoS of 3 is malformed [MQTT-3.3.1-4]',
    script: `
      A connect c%
      A > 36 ( "t%" 0001 [ ] 'x' )
      5: A < e0 ( 81 )
      A closed`,
  },
  {
    name: 'a duplicate of QoS 0 is malformed [MQTT-3.3.1-2]',
    script: `
      A connect c%
      A > 38 ( "t%" [ ] 'x' )
      5: A < e0 ( 81 )
      A closed`,
  },
  {
    name: 'a topic name has no wildcards [MQTT-3.3.2-2]',
    script: `
      A connect c%
      A > 30 ( "t%/+" [ ] 'x' )
      5: A < e0 ( 81 )
      A closed
      B connect c%
      B > 30 ( "t%/#" [ ] 'x' )
      5: B < e0 ( 81 )
      B closed`,
  },
  {
    name: 'a topic name is text [MQTT-1.5.4-1], [MQTT-1.5.4-2]',
    script: `
      A connect c%
      A > 30 ( 0003 eda080 [ ] 'x' )
      5: A < e0 ( 81 )
      A closed
      B connect c%
      B > 30 ( 0003 610062 [ ] 'x' )
      5: B < e0 ( 81 )
      B closed
      C connect c%
      C > 32 ( 0005 41 f0aa9b94 0001 [ ] 'x' )
      4: C < 40 ( 0001 )
      5: C < 40 ( 0001 10 )
      C quiet`,
  },
  {
    name: 'there must be a topic name [MQTT-4.7.3-1], [3.3.2.1]',
    script: `
      A connect c%
      A > 30 ( 0000 [ ] 'x' )
      5: A < e0 ( 82 )
      A closed`,
  },
  {
    name: 'a packet identifier is not 0 [MQTT-2.2.1-3]',
    script: `
      A connect c%
      A > 32 ( "t%" 0000 [ ] 'x' )
      5: A < e0 ( 82 )
      A closed
      B connect c%
      B > 62 ( 0000 )
      5: B < e0 ( 82 )
      B closed`,
  },
  {
    name: 'a packet that ends too early is malformed',
    script: `
      A connect c%
      A > 32 ( "t%" )
      5: A < e0 ( 81 )
      A closed
      B connect c%
      B > 40 ( 01 )
      5: B < e0 ( 81 )
      B closed`,
  },
  {
    name: 'levels may be empty, and a name as long as its length can say [MQTT-4.7.3-3]',
    script: `
      A connect c%
      A > 82 ( 0001 [ ] "t%//+/" 00 )
      A < 90 ( 0001 [ ] 00 )
      A > 30 ( "t%///" [ ] 'x' ) 30 ( "t%//a/" [ ] 'y' ) 30 ( "t%//a" [ ] 'z' )
      A < 30 ( "t%///" [ ] 'x' ) 30 ( "t%//a/" [ ] 'y' )
      A quiet`,
  },
  {
    name: 'what begins with $ is the server’s: a QoS above 0 is told so [4.7.2]',
    script: `
      A connect c%
      A > 32 ( "$SYS/t%" 0001 [ ] 'x' )
      4: A < 40 ( 0001 )
      5: A < 40 ( 0001 87 )
      A > 34 ( "$SYS/t%" 0002 [ ] 'x' )
      4: A < 50 ( 0002 )
      5: A < 50 ( 0002 87 )
      A > 30 ( "$SYS/t%" [ ] 'x' )
      A quiet`,
  },
  {
    name: 'a topic alias stands for a name [MQTT-3.3.2-12], and can be given another',
    levels: [5],
    script: `
      A connect c%
      A > 82 ( 0001 ( ) "t%/#" 00 )
      A < 90 ( 0001 ( ) 00 )
      A > 30 ( "t%/a" ( 23 0001 ) '1' ) 30 ( 0000 ( 23 0001 ) '2' ) 30 ( "t%/b" ( 23 0001 ) '3' ) 30 ( 0000 ( 23 0001 ) '4' )
      A < 30 ( "t%/a" ( ) '1' ) 30 ( "t%/a" ( ) '2' ) 30 ( "t%/b" ( ) '3' ) 30 ( "t%/b" ( ) '4' )`,
  },
  {
    name: 'a topic alias that is none is refused [MQTT-3.3.2-8], [MQTT-3.3.2-9], [MQTT-3.3.2-7]',
    levels: [5],
    script: `
      A connect c%
      A > 30 ( "t%" ( 23 0000 ) 'x' )
      A < e0 ( 82 )
      A closed
      B connect c%
      B > 30 ( "t%" ( 23 ffff ) 'x' )
      B < e0 ( 94 )
      B closed
      C connect c%
      C > 30 ( 0000 ( 23 0001 ) 'x' )
      C < e0 ( 82 )
      C closed
      D connect c%
      D > 30 ( "t%" ( 23 0001 ) 'x' )
      D > e0 ( )
      D closed
      // They end with the connection.
      E connect c%
      E > 30 ( 0000 ( 23 0001 ) 'x' )
      E < e0 ( 82 )
      E closed`,
  },
  {
    name: 'no more than the server takes at once [MQTT-3.3.4-7], [3.3.4]',
    levels: [5],
    script: `
      A connect c%
      A > ${MANY.map((id) => `34 ( "t%" ${id} ( ) )`).join(' ')}
      A < ${MANY.map((id) => `50 ( ${id} )`).join(' ')}
      // One that is not released comes again: it counts once.
      A > 3c ( "t%" 0001 ( ) )
      A < 50 ( 0001 )
      A > 32 ( "t%" 0801 ( ) )
      A < e0 ( 93 )
      A closed`,
  },
  {
    name: 'a name may have 65,535 bytes [MQTT-4.7.3-3]',
    script: `
      A connect c%
      A > 82 ( 0001 [ ] "t%/#" 00 )
      A < 90 ( 0001 [ ] 00 )
      A > 32 ( "t%/${'l'.repeat(65_530)}" 0001 [ ] 'x' )
      A < 30 ( "t%/${'l'.repeat(65_530)}" [ ] 'x' ) 40 ( 0001 )
      A quiet`,
  },
  {
    name: 'properties that cannot be are refused [2.2.2.2]',
    levels: [5],
    script: `
      A connect c%
      A > 30 ( "t%" ( 01 02 ) 'x' )
      A < e0 ( 82 )
      A closed
      B connect c%
      B > 30 ( "t%" ( 02 00000001 02 00000001 ) 'x' )
      B < e0 ( 82 )
      B closed
      C connect c%
      C > 30 ( "t%" ( 02 000001 ) )
      C < e0 ( 81 )
      C closed
      D connect c%
      D > 30 ( "t%" ( 0b 01 ) 'x' )
      D < e0 ( 82 )
      D closed
      E connect c%
      E > 30 ( "t%" ( 11 00000001 ) 'x' )
      E < e0 ( 81 )
      E closed
      F connect c%
      F > 30 ( "t%" ( 08 "a/#" ) 'x' )
      F < e0 ( 82 )
      F closed`,
  },
  {
    name: 'a reason that cannot be is refused [MQTT-3.4.2-1]',
    levels: [5],
    script: `
      A connect c%
      A > 40 ( 0001 ff )
      A < e0 ( 82 )
      A closed
      B connect c%
      B > 62 ( 0001 87 )
      B < e0 ( 82 )
      B closed`,
  },
];
