import type { Case } from './script.js';

/** SUBSCRIBE, UNSUBSCRIBE, and what comes of it. */
export const SUBSCRIBE_CASES: readonly Case[] = [
  {
    name: 'a SUBSCRIBE is answered with what is granted, in order [MQTT-3.8.4-5], [MQTT-3.8.4-6]',
    script: `
      A connect c%
      A > 82 ( 1234 [ ] "t%/a" 02 "t%/b" 00 "t%/+/c" 01 "t%/#" 00 )
      A < 90 ( 1234 [ ] 02 00 01 00 )
      A quiet`,
  },
  {
    name: 'an UNSUBSCRIBE is answered, whether there was a subscription or not [MQTT-3.10.4-5]',
    script: `
      A connect c%
      A > 82 ( 0001 [ ] "t%/a" 00 )
      A < 90 ( 0001 [ ] 00 )
      A > a2 ( 0002 [ ] "t%/a" "t%/b" )
      4: A < b0 ( 0002 )
      5: A < b0 ( 0002 ( ) 00 11 )
      A > 30 ( "t%/a" [ ] 'x' )
      A quiet`,
  },
  {
    name: 'QoS is the lower of both [MQTT-3.8.4-8]',
    script: `
      A connect c%
      A > 82 ( 0001 [ ] "t%/0" 00 "t%/1" 01 "t%/2" 02 )
      A < 90 ( 0001 [ ] 00 01 02 )
      B connect d%
      B > 34 ( "t%/0" 0001 [ ] 'x' ) 34 ( "t%/1" 0002 [ ] 'x' ) 32 ( "t%/2" 0003 [ ] 'x' ) 30 ( "t%/2" [ ] 'y' )
      B < 50 ( 0001 ) 50 ( 0002 ) 40 ( 0003 )
      B > 62 ( 0001 ) 62 ( 0002 )
      B < 70 ( 0001 ) 70 ( 0002 )
      B quiet`,
  },
  {
    name: 'QoS 1 comes until it is acknowledged [MQTT-4.3.2-2], and its identifiers count up',
    script: `
      A connect c%
      A > 82 ( 0001 [ ] "t%" 01 )
      A < 90 ( 0001 [ ] 01 )
      B connect d%
      B > 32 ( "t%" 0001 [ ] 'x' )
      B < 40 ( 0001 )
      A < 32 ( "t%" 0001 [ ] 'x' )
      A > 40 ( 0001 )
      B > 32 ( "t%" 0001 [ ] 'y' )
      B < 40 ( 0001 )
      A < 32 ( "t%" 0002 [ ] 'y' )
      A > 40 ( 0002 )
      A quiet`,
  },
  {
    name: 'QoS 2 comes in four packets [MQTT-4.3.3-2] to -7',
    script: `
      A connect c%
      A > 82 ( 0001 [ ] "t%" 02 )
      A < 90 ( 0001 [ ] 02 )
      B connect d%
      B > 34 ( "t%" 0001 [ ] 'x' )
      B < 50 ( 0001 )
      B > 62 ( 0001 )
      B < 70 ( 0001 )
      A < 34 ( "t%" 0001 [ ] 'x' )
      A > 50 ( 0001 )
      A < 62 ( 0001 )
      // It did not hear that: again.
      A > 50 ( 0001 )
      A < 62 ( 0001 )
      A > 70 ( 0001 )
      A quiet`,
  },
  {
    name: 'an acknowledgement of the other kind is a protocol error [4.3.2], [4.3.3]',
    script: `
      A connect c%
      A > 82 ( 0001 [ ] "t%" 02 )
      A < 90 ( 0001 [ ] 02 )
      B connect d%
      B > 82 ( 0001 [ ] "t%" 01 )
      B < 90 ( 0001 [ ] 01 )
      C connect e%
      C > 34 ( "t%" 0001 [ ] 'x' )
      C < 50 ( 0001 )
      C > 62 ( 0001 )
      C < 70 ( 0001 )
      A < 34 ( "t%" 0001 [ ] 'x' )
      A > 40 ( 0001 )
      5: A < e0 ( 82 )
      A closed
      B < 32 ( "t%" 0001 [ ] 'x' )
      B > 50 ( 0001 )
      5: B < e0 ( 82 )
      B closed`,
  },
  {
    name: 'a PUBREC that tells of failure ends it [MQTT-4.3.3-4]',
    levels: [5],
    script: `
      A connect c%
      A > 82 ( 0001 ( ) "t%" 02 )
      A < 90 ( 0001 ( ) 02 )
      B connect d%
      B > 34 ( "t%" 0001 ( ) 'x' )
      B < 50 ( 0001 )
      B > 62 ( 0001 )
      B < 70 ( 0001 )
      A < 34 ( "t%" 0001 ( ) 'x' )
      A > 50 ( 0001 80 )
      A quiet`,
  },
  {
    name: 'a retained message comes with a new subscription, and is a retained one only then [MQTT-3.3.1-8], [MQTT-3.3.1-9]',
    script: `
      A connect c%
      A > 82 ( 0001 [ ] "t%" 00 )
      A < 90 ( 0001 [ ] 00 )
      A > 31 ( "t%" [ ] 'x' )
      A < 30 ( "t%" [ ] 'x' )
      B connect d%
      B > 82 ( 0001 [ ] "t%" 01 )
      B < 90 ( 0001 [ ] 01 )
      B < 31 ( "t%" [ ] 'x' )
      // Again with each SUBSCRIBE [MQTT-3.8.4-3].
      B > 82 ( 0002 [ ] "t%" 01 )
      B < 90 ( 0002 [ ] 01 )
      B < 31 ( "t%" [ ] 'x' )
      // None is kept any more [MQTT-3.3.1-6], and an empty one comes like any other.
      A > 31 ( "t%" [ ] )
      A < 30 ( "t%" [ ] )
      B < 30 ( "t%" [ ] )
      C connect e%
      C > 82 ( 0001 [ ] "t%" 00 )
      C < 90 ( 0001 [ ] 00 )
      C quiet`,
  },
  {
    name: 'the last retained message is the one [MQTT-3.3.1-5], at its own QoS',
    script: `
      A connect c%
      A > 33 ( "t%" 0001 [ ] 'x' ) 35 ( "t%" 0002 [ ] 'y' )
      4: A < 40 ( 0001 ) 50 ( 0002 )
      5: A < 40 ( 0001 10 ) 50 ( 0002 )
      A > 62 ( 0002 )
      A < 70 ( 0002 )
      A > 82 ( 0001 [ ] "t%/#" 02 )
      A < 90 ( 0001 [ ] 02 )
      A < 35 ( "t%" 0001 [ ] 'y' )
      A > 50 ( 0001 )
      A < 62 ( 0001 )
      A > 70 ( 0001 ) 31 ( "t%" [ ] )
      A < 30 ( "t%" [ ] )`,
  },
  {
    name: 'retain handling [MQTT-3.3.1-10], [MQTT-3.3.1-11]',
    levels: [5],
    script: `
      A connect c%
      A > 31 ( "t%" ( ) 'x' )
      A > 82 ( 0001 ( ) "t%" 10 )
      A < 90 ( 0001 ( ) 00 ) 31 ( "t%" ( ) 'x' )
      A > 82 ( 0002 ( ) "t%" 10 )
      A < 90 ( 0002 ( ) 00 )
      A > 82 ( 0003 ( ) "t%/#" 20 )
      A < 90 ( 0003 ( ) 00 )
      A quiet
      A > 31 ( "t%" ( ) )
      A < 30 ( "t%" ( ) )`,
  },
  {
    name: 'no local [MQTT-3.8.3-3], retain as published [MQTT-3.3.1-12], [MQTT-3.3.1-13]',
    levels: [5],
    script: `
      A connect c%
      A > 82 ( 0001 ( ) "t%" 04 )
      A < 90 ( 0001 ( ) 00 )
      A > 30 ( "t%" ( ) 'x' )
      A quiet
      B connect d%
      B > 82 ( 0001 ( ) "t%" 08 )
      B < 90 ( 0001 ( ) 00 )
      B > 30 ( "t%" ( ) 'y' ) 31 ( "t%" ( ) 'z' ) 31 ( "t%" ( ) )
      B < 30 ( "t%" ( ) 'y' ) 31 ( "t%" ( ) 'z' ) 31 ( "t%" ( ) )
      A < 30 ( "t%" ( ) 'y' ) 30 ( "t%" ( ) 'z' ) 30 ( "t%" ( ) )
      A quiet`,
  },
  {
    name: 'identifiers of subscriptions come with what matches them [MQTT-3.3.4-3]',
    levels: [5],
    script: `
      A connect c%
      A > 82 ( 0001 ( 0b 01 ) "t%/a" 00 )
      A < 90 ( 0001 ( ) 00 )
      A > 30 ( "t%/a" ( ) 'x' )
      A < 30 ( "t%/a" ( 0b 01 ) 'x' )
      A > 82 ( 0002 ( 0b ffffff7f ) "t%/b" 00 )
      A < 90 ( 0002 ( ) 00 )
      A > 30 ( "t%/b" ( ) 'x' )
      A < 30 ( "t%/b" ( 0b ffffff7f ) 'x' )
      // A later SUBSCRIBE replaces it.
      A > 82 ( 0003 ( ) "t%/a" 00 )
      A < 90 ( 0003 ( ) 00 )
      A > 30 ( "t%/a" ( ) 'x' )
      A < 30 ( "t%/a" ( ) 'x' )`,
  },
  {
    name: 'properties go along unaltered [MQTT-3.3.2-4], -15, -16, -17, -18, -20',
    levels: [5],
    script: `
      A connect c%
      A > 82 ( 0001 ( ) "t%" 01 )
      A < 90 ( 0001 ( ) 01 )
      A > 30 ( "t%" ( 01 01 03 "text" 08 "re/ply" 09 0003 00ff00 26 "b" "1" 26 "a" "" 26 "b" "1" ) 'x' )
      A < 30 ( "t%" ( 01 01 03 "text" 08 "re/ply" 09 0003 00ff00 26 "b" "1" 26 "a" "" 26 "b" "1" ) 'x' )
      A > 30 ( "t%" ( 02 0000003c ) 'x' )
      A < 30 ( "t%" ( 02 0000003c ) 'x' )`,
  },
  {
    name: 'properties are not for clients of 3.1.1',
    levels: [4],
    script: `
      A connect c%
      A > 82 ( 0001 "t%" 00 )
      A < 90 ( 0001 00 )
      B > 10 ( "MQTT" 05 02 0000 ( 21 000a ) "d%" ) 30 ( "t%" ( 03 "text" 26 "k" "v" ) 'x' )
      A < 30 ( "t%" 'x' )`,
  },
  {
    name: 'no more than a client takes at once [MQTT-3.3.4-7], [MQTT-3.3.4-9]',
    levels: [5],
    script: `
      A connect c% 21 0002
      A > 82 ( 0001 ( ) "t%" 01 )
      A < 90 ( 0001 ( ) 01 )
      B connect d%
      B > 32 ( "t%" 0001 ( ) '1' ) 32 ( "t%" 0002 ( ) '2' ) 32 ( "t%" 0003 ( ) '3' ) 30 ( "t%" ( ) '0' )
      B < 40 ( 0001 ) 40 ( 0002 ) 40 ( 0003 )
      A < 32 ( "t%" 0001 ( ) '1' ) 32 ( "t%" 0002 ( ) '2' )`,
  },
  {
    name: 'nothing larger than a client takes [MQTT-3.1.2-24], [MQTT-3.1.2-25]',
    levels: [5],
    script: `
      A connect c% 27 00000014
      A > 82 ( 0001 ( ) "t%" 01 )
      A < 90 ( 0001 ( ) 01 )
      B connect d%
      B > 30 ( "t%" ( ) 'twenty-two bytes' ) 32 ( "t%" 0002 ( ) 'fits' )
      B < 40 ( 0002 )
      A < 32 ( "t%" 0001 ( ) 'fits' )`,
  },
  {
    name: 'wildcards match levels [MQTT-4.7.1-1], and not what begins with $ [MQTT-4.7.2-1]',
    script: `
      A connect c%
      A > 82 ( 0001 [ ] "t%/#" 00 )
      A < 90 ( 0001 [ ] 00 )
      B connect d%
      B > 82 ( 0001 [ ] "t%/+/x" 00 )
      B < 90 ( 0001 [ ] 00 )
      A > 30 ( "t%" [ ] '1' ) 30 ( "t%/a/x" [ ] '2' ) 30 ( "t%/a/b/x" [ ] '3' ) 30 ( "u%" [ ] '4' ) 30 ( "t%//x" [ ] '5' )
      A < 30 ( "t%" [ ] '1' ) 30 ( "t%/a/x" [ ] '2' ) 30 ( "t%/a/b/x" [ ] '3' ) 30 ( "t%//x" [ ] '5' )
      B < 30 ( "t%/a/x" [ ] '2' ) 30 ( "t%//x" [ ] '5' )
      A quiet
      B quiet`,
  },
  {
    name: 'one of a group hears a shared message [4.8.2], and none what was retained',
    script: `
      A connect c%
      A > 31 ( "t%" [ ] 'old' )
      A > 82 ( 0001 [ ] "$share/g%/t%" 00 )
      A < 90 ( 0001 [ ] 00 )
      A quiet
      A > 31 ( "t%" [ ] )
      A < 30 ( "t%" [ ] )
      A > a2 ( 0002 [ ] "$share/g%/t%" )
      4: A < b0 ( 0002 )
      5: A < b0 ( 0002 ( ) 00 )
      A > 30 ( "t%" [ ] 'x' )
      A quiet`,
  },
  {
    name: 'members of a group take turns [MQTT-4.8.2-4], at the QoS of each',
    script: `
      A connect c%
      A > 82 ( 0001 [ ] "$share/g%/t%/+" 00 )
      A < 90 ( 0001 [ ] 00 )
      B connect d%
      B > 82 ( 0001 [ ] "$share/g%/t%/+" 01 "t%/b" 00 )
      B < 90 ( 0001 [ ] 01 00 )
      // Another group hears all of it.
      C connect e%
      C > 82 ( 0001 [ ] "$share/h%/t%/+" 00 )
      C < 90 ( 0001 [ ] 00 )
      C > 32 ( "t%/a" 0001 [ ] 'x' ) 32 ( "t%/a" 0002 [ ] 'x' )
      C < 30 ( "t%/a" [ ] 'x' ) 40 ( 0001 ) 30 ( "t%/a" [ ] 'x' ) 40 ( 0002 )
      A < 30 ( "t%/a" [ ] 'x' )
      B < 32 ( "t%/a" 0001 [ ] 'x' )
      B > 40 ( 0001 )
      A quiet
      B quiet`,
  },
  {
    name: 'turns go from who came first to who came last, in each group by itself',
    script: `
      A connect c%
      A > 82 ( 0001 [ ] "$share/one/t%" 00 )
      A < 90 ( 0001 [ ] 00 )
      B connect d%
      B > 82 ( 0001 [ ] "$share/one/t%" 00 "$share/two/t%" 00 )
      B < 90 ( 0001 [ ] 00 00 )
      C connect e%
      C > 82 ( 0001 [ ] "$share/two/t%" 00 )
      C < 90 ( 0001 [ ] 00 )
      D connect f%
      D > 82 ( 0001 [ ] "$share/one/t%" 00 "t%/#" 00 )
      D < 90 ( 0001 [ ] 00 00 )
      D > 30 ( "t%" [ ] '1' ) 30 ( "t%" [ ] '2' )
      A < 30 ( "t%" [ ] '1' )
      B < 30 ( "t%" [ ] '1' ) 30 ( "t%" [ ] '2' )
      C < 30 ( "t%" [ ] '2' )
      D < 30 ( "t%" [ ] '1' ) 30 ( "t%" [ ] '2' )
      A quiet
      C quiet
      D quiet`,
  },
  {
    name: 'the server uses the topic aliases that a client takes [3.3.2.3.4]',
    levels: [5],
    script: `
      A connect c% 22 0001
      A > 82 ( 0001 ( ) "t%/+" 01 )
      A < 90 ( 0001 ( ) 01 )
      A > 30 ( "t%/a" ( ) '1' ) 30 ( "t%/a" ( ) '2' ) 32 ( "t%/a" 0001 ( ) '3' )
      A < 30 ( "t%/a" ( 23 0001 ) '1' ) 30 ( 0000 ( 23 0001 ) '2' ) 32 ( 0000 0001 ( 23 0001 ) '3' ) 40 ( 0001 )
      A > 40 ( 0001 )
      A quiet`,
  },
  {
    name: 'a filter must be one [MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.7.3-1]',
    script: `
      A connect c%
      A > 82 ( 0001 [ ] "t%/#/b" 00 )
      5: A < e0 ( 81 )
      A closed
      B connect c%
      B > 82 ( 0001 [ ] "t%+" 00 )
      5: B < e0 ( 81 )
      B closed
      C connect c%
      C > 82 ( 0001 [ ] 0000 00 )
      5: C < e0 ( 81 )
      C closed
      D connect c%
      D > 82 ( 0001 [ ] "$share/g" 00 )
      5: D < e0 ( 81 )
      D closed
      E connect c%
      E > a2 ( 0001 [ ] "t%/#/b" )
      5: E < e0 ( 81 )
      E closed`,
  },
  {
    name: 'there must be a filter, and options that can be [MQTT-3.8.3-2], [MQTT-3.8.3-5], [3.8.3.1]',
    script: `
      A connect c%
      A > 82 ( 0001 [ ] )
      5: A < e0 ( 82 )
      A closed
      B connect c%
      B > 82 ( 0001 [ ] "t%" )
      5: B < e0 ( 81 )
      B closed
      C connect c%
      C > 82 ( 0001 [ ] "t%" 80 )
      5: C < e0 ( 81 )
      C closed
      D connect c%
      D > 82 ( 0001 [ ] "t%" 03 )
      5: D < e0 ( 82 )
      D closed
      E connect c%
      E > a2 ( 0001 [ ] )
      5: E < e0 ( 82 )
      E closed
      F connect c%
      4: F > 82 ( 0001 "t%" 04 )
      5: F > 82 ( 0001 ( ) "t%" 30 )
      5: F < e0 ( 82 )
      F closed`,
  },
  {
    name: 'a shared subscription cannot be without one’s own [MQTT-3.8.3-4]',
    levels: [5],
    script: `
      A connect c%
      A > 82 ( 0001 ( ) "$share/g%/t%" 04 )
      A < e0 ( 82 )
      A closed`,
  },
];
