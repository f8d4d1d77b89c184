import type { PortDescription } from './list-ports.js';

/** What is known to answer under a USB vendor and product id. */
const BOARDS: Readonly<Record<string, string>> = {
  '2341:0001': 'Arduino Uno',
  '2341:0043': 'Arduino Uno R3',
  '2341:0243': 'Arduino Uno R3',
  '2a03:0043': 'Arduino Uno R3',
  '2341:0069': 'Arduino Uno R4 Minima',
  '2341:1002': 'Arduino Uno R4 WiFi',
  '2341:0010': 'Arduino Mega 2560',
  '2341:0042': 'Arduino Mega 2560 R3',
  '2a03:0042': 'Arduino Mega 2560 R3',
  '2341:0058': 'Arduino Nano Every',
  '2341:8036': 'Arduino Leonardo',
  '2341:8037': 'Arduino Micro',
  '2341:8057': 'Arduino Nano 33 IoT',
  '2341:805a': 'Arduino Nano 33 BLE',
  '0403:6001': 'FTDI FT232R adapter (older Arduino Nano and others)',
  '0403:6010': 'FTDI FT2232 adapter',
  '0403:6014': 'FTDI FT232H adapter',
  '0403:6015': 'FTDI FT231X adapter',
  '067b:2303': 'Prolific PL2303 adapter',
  '10c4:ea60': 'Silicon Labs CP210x adapter (ESP32 and ESP8266 boards)',
  '1a86:5523': 'CH341 adapter',
  '1a86:7523': 'CH340 adapter (Arduino Nano and Uno clones, ESP8266 boards)',
  '1a86:55d3': 'CH343 adapter',
  '1a86:55d4': 'CH9102 adapter (ESP32 boards)',
  '0483:374b': 'ST-Link of a Nucleo board',
  '0483:5740': 'STM32 with USB serial',
  '16c0:0483': 'Teensy',
  '2e8a:0005': 'RP2040 with MicroPython (Raspberry Pi Pico)',
  '2e8a:000a': 'RP2040 (Raspberry Pi Pico)',
  '303a:1001': 'ESP32-S3, -C3 or -C6 with built-in USB',
};

/** For ids not in the list above. */
const VENDORS: Readonly<Record<string, string>> = {
  '0403': 'FTDI adapter',
  '10c4': 'Silicon Labs adapter',
  '1a86': 'WCH adapter',
  '1b4f': 'SparkFun board',
  '2341': 'Arduino board',
  '239a': 'Adafruit board',
  '2886': 'Seeed Studio board',
  '2a03': 'Arduino board',
  '2e8a': 'RP2040 or RP2350 board',
  '303a': 'Espressif board',
};

/** What is plugged in, as far as its USB ids tell; undefined for a port that is not USB. */
export function boardName({ vendorId, productId, manufacturer }: PortDescription): string | undefined {
  if (vendorId === undefined) return undefined;
  return (
    BOARDS[`${vendorId}:${productId}`] ??
    VENDORS[vendorId] ??
    manufacturer ??
    'USB device that is not in the list'
  );
}
