/** STK_INSYNC STK_OK: what the bootloader of an AVR board answers to whatever it takes for a question. */
const STK500_ANSWER = [0x14, 0x10];
/** What the ROM of an ESP32 or ESP8266 prints when it waits for a program instead of starting one. */
const DOWNLOAD_MODE = /waiting for download|DOWNLOAD(_BOOT)?\(|boot mode:\(1,/i;

/** Whether all of `bytes`, which just came from a board, are the answers of an AVR bootloader. */
export function isBootloaderAnswer(bytes: Uint8Array): boolean {
  return (
    bytes.length >= STK500_ANSWER.length &&
    bytes.length % STK500_ANSWER.length === 0 &&
    bytes.every((byte, index) => byte === STK500_ANSWER[index % STK500_ANSWER.length])
  );
}

/** Whether a line tells that the board waits for an upload. */
export function isDownloadMode(line: string): boolean {
  return DOWNLOAD_MODE.test(line);
}
