import { fileURLToPath } from 'node:url';

/** What the process is called that asks every new serial port whether it is a modem. */
export const MODEM_MANAGER = 'ModemManager';

/** The udev rules of this package. */
export const UDEV_RULES = fileURLToPath(new URL('../../../config/99-slipway.rules', import.meta.url));

/** How the rules come into force, as a command. */
export const INSTALL_RULES = `sudo cp ${UDEV_RULES} /etc/udev/rules.d/ && sudo udevadm control --reload && sudo udevadm trigger`;
