import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { editUsers, usersText } from '../access/edit-users.js';
import { KEY_BYTES, parseUsers } from '../access/users.js';
import { SlipwayError } from '../errors.js';
import { identityProblem } from '../wire/channels.js';
import { print } from './process.js';
import { HOW_TO_RELOAD, type UsersFileOptions, usersFile, withUsersFile } from './users-file-option.js';

const EXAMPLES = `
Examples:
  $ slipway key add greenhouse-1      prints the key, for the board's sketch
  $ slipway key list

A device that has a key must prove it (PROTOCOL.md §4.8): nobody else gets in under its name. The key itself stays on the board
and in the file that access.users.file of the config names. ${HOW_TO_RELOAD}`;

/**
 * `slipway key`: keys of devices.
 * @throws ConfigError when config or users file cannot be used; SlipwayError as `editUsers`, `usage`, `no_such_key`,
 * `key_exists`
 */
export function keyCommand(): Command {
  return new Command('key')
    .description('keys of devices, so that nobody can borrow their names')
    .addHelpText('after', EXAMPLES)
    .addCommand(add())
    .addCommand(remove())
    .addCommand(list());
}

function add(): Command {
  return withUsersFile(new Command('add'))
    .description('give a device a key, and print it')
    .argument('<identity>', 'what the device calls itself')
    .action(async (identity: string, options: UsersFileOptions) => {
      const problem = identityProblem(identity);
      if (problem !== undefined) throw new SlipwayError('usage', problem);
      const file = await usersFile(options);
      const key = randomBytes(KEY_BYTES);
      await editUsers(file, (users) => {
        if (users.has(['devices', identity]))
          throw new SlipwayError(
            'key_exists',
            `${file} has a key of ${identity}: \`slipway key remove ${identity}\` first`,
          );
        users.set(['devices', identity], { key: key.toString('hex') });
      });
      print(key.toString('hex'));
      const bytes = Array.from(key, (byte) => `0x${byte.toString(16).padStart(2, '0')}`);
      process.stderr.write(
        `In a sketch: const uint8_t key[${KEY_BYTES}] PROGMEM = {${bytes.join(', ')}};\n${HOW_TO_RELOAD}\n`,
      );
    });
}

function remove(): Command {
  return withUsersFile(new Command('remove'))
    .description('forget the key of a device: then anyone may call itself that')
    .argument('<identity>', 'the device')
    .action(async (identity: string, options: UsersFileOptions) => {
      const file = await usersFile(options);
      await editUsers(file, (users) => {
        if (!users.has(['devices', identity]))
          throw new SlipwayError(
            'no_such_key',
            `${file} has no key of ${identity}: \`slipway key list\` shows all`,
          );
        users.delete(['devices', identity]);
      });
      print(`The key of ${identity} is forgotten. ${HOW_TO_RELOAD}`);
    });
}

function list(): Command {
  return withUsersFile(new Command('list'))
    .description('list the devices that have keys')
    .option('--json', 'print a JSON array of names instead')
    .action(async (options: UsersFileOptions & { json?: boolean }) => {
      const file = await usersFile(options);
      const names = parseUsers(await usersText(file), file).devices();
      if (options.json) return print(JSON.stringify(names, null, 2));
      for (const name of names) print(name);
    });
}
