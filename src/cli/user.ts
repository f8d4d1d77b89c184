import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { editUsers, usersText } from '../access/edit-users.js';
import { formatHash, hashPassword, MAX_PASSWORD_BYTES } from '../access/password.js';
import { hashToken, parseUsers, TOKEN_PREFIX, userProblem } from '../access/users.js';
import { SlipwayError } from '../errors.js';
import { print } from './process.js';
import { newPassword } from './secret-input.js';
import { HOW_TO_RELOAD, type UsersFileOptions, usersFile, withUsersFile } from './users-file-option.js';

/** A shorter password is taken, with a warning. */
const SHORT_PASSWORD = 8;
const TOKEN_BYTES = 32;

const EXAMPLES = `
Examples:
  $ slipway user add ada                        asks for the password
  $ pass show slipway/ada | slipway user add ada    or reads it from standard input
  $ slipway user token ada dashboard            prints a token for a program of hers
  $ slipway user list

Passwords are never arguments: those stand in the list of processes. They are kept as hashes (scrypt) in the file that
access.users.file of the config names. ${HOW_TO_RELOAD}`;

/**
 * `slipway user`: users, their passwords and tokens.
 * @throws ConfigError when config or users file cannot be used; SlipwayError as `editUsers` and `newPassword`, `usage`,
 * `no_such_user`, `user_exists`, `no_such_token`, `token_exists`
 */
export function userCommand(): Command {
  return new Command('user')
    .description('users, their passwords and tokens')
    .addHelpText('after', EXAMPLES)
    .addCommand(add())
    .addCommand(passwd())
    .addCommand(remove())
    .addCommand(token())
    .addCommand(revoke())
    .addCommand(list());
}

function add(): Command {
  return withUsersFile(new Command('add'))
    .description('add a user; the password is asked for, or read from standard input')
    .argument('<name>', 'as the rules name it, without user:')
    .option('--no-password', 'none: for one who has a certificate, or tokens')
    .action(async (name: string, options: UsersFileOptions & { password: boolean }) => {
      const problem = userProblem(name);
      if (problem !== undefined) throw new SlipwayError('usage', problem);
      const file = await usersFile(options);
      const refuse = () => {
        throw new SlipwayError(
          'user_exists',
          `${file} has a user ${name}: \`slipway user passwd ${name}\` changes the password`,
        );
      };
      // Before anybody types a password for nothing.
      if (parseUsers(await usersText(file), file).get(name)) refuse();
      const entry = options.password ? { password: await newHash(name) } : {};
      await editUsers(file, (users) => {
        if (users.has(['users', name])) refuse();
        users.set(['users', name], entry);
      });
      print(`${name} is in ${file} now. ${HOW_TO_RELOAD}`);
    });
}

function passwd(): Command {
  return withUsersFile(new Command('passwd'))
    .description('change the password of a user; who is connected with the old one has to come back')
    .argument('<name>', 'the user')
    .action(async (name: string, options: UsersFileOptions) => {
      const file = await usersFile(options);
      if (!parseUsers(await usersText(file), file).get(name)) throw noSuchUser(name, file);
      const password = await newHash(name);
      await editUsers(file, (users) => {
        if (!users.has(['users', name])) throw noSuchUser(name, file);
        users.set(['users', name, 'password'], password);
      });
      print(`The password of ${name} is another now. ${HOW_TO_RELOAD}`);
    });
}

function remove(): Command {
  return withUsersFile(new Command('remove'))
    .description('remove a user with password and tokens')
    .argument('<name>', 'the user')
    .action(async (name: string, options: UsersFileOptions) => {
      const file = await usersFile(options);
      await editUsers(file, (users) => {
        if (!users.has(['users', name])) throw noSuchUser(name, file);
        users.delete(['users', name]);
      });
      print(`${name} is gone from ${file}. ${HOW_TO_RELOAD}`);
    });
}

function token(): Command {
  return withUsersFile(new Command('token'))
    .description('make a token, with which a program is that user without the password; it is printed once')
    .argument('<name>', 'the user')
    .argument('<label>', 'what the token is for, to revoke it by')
    .action(async (name: string, label: string, options: UsersFileOptions) => {
      const problem = userProblem(label);
      if (problem !== undefined)
        throw new SlipwayError('usage', problem.replace('the name of a user', 'a label'));
      const file = await usersFile(options);
      const made = `${TOKEN_PREFIX}${randomBytes(TOKEN_BYTES).toString('base64url')}`;
      await editUsers(file, (users) => {
        if (!users.has(['users', name])) throw noSuchUser(name, file);
        const path = ['users', name, 'tokens', label];
        if (users.has(path))
          throw new SlipwayError(
            'token_exists',
            `${name} has a token ${label}: \`slipway user revoke ${name} ${label}\` first`,
          );
        users.set(path, hashToken(Buffer.from(made)));
      });
      print(made);
      process.stderr.write(`This is shown once: ${file} has a hash of it. ${HOW_TO_RELOAD}\n`);
    });
}

function revoke(): Command {
  return withUsersFile(new Command('revoke'))
    .description('revoke a token')
    .argument('<name>', 'the user')
    .argument('<label>', 'the label of the token')
    .action(async (name: string, label: string, options: UsersFileOptions) => {
      const file = await usersFile(options);
      await editUsers(file, (users) => {
        const path = ['users', name, 'tokens', label];
        if (!users.has(path))
          throw new SlipwayError('no_such_token', `${file} has no token ${label} of ${name}`);
        users.delete(path);
      });
      print(`The token ${label} of ${name} is revoked. ${HOW_TO_RELOAD}`);
    });
}

function list(): Command {
  return withUsersFile(new Command('list'))
    .description('list the users')
    .option('--json', 'print a JSON array instead: name, password (whether there is one), tokens (labels)')
    .action(async (options: UsersFileOptions & { json?: boolean }) => {
      const file = await usersFile(options);
      const users = parseUsers(await usersText(file), file).list();
      if (options.json) return print(JSON.stringify(users, null, 2));
      for (const { name, password, tokens } of users) {
        const has = [password ? 'password' : 'no password', ...tokens.map((label) => `token ${label}`)];
        print(`${name}\t${has.join(', ')}`);
      }
    });
}

async function newHash(name: string): Promise<string> {
  const password = await newPassword(name);
  const bytes = Buffer.from(password);
  if (bytes.length > MAX_PASSWORD_BYTES)
    throw new SlipwayError(
      'no_password',
      `a password can have ${MAX_PASSWORD_BYTES} bytes at most: nothing was changed`,
    );
  if (Array.from(password).length < SHORT_PASSWORD)
    process.stderr.write(
      `slipway: warning: a password of less than ${SHORT_PASSWORD} characters is soon guessed\n`,
    );
  return formatHash(await hashPassword(bytes));
}

function noSuchUser(name: string, file: string): SlipwayError {
  return new SlipwayError('no_such_user', `${file} has no user ${name}: \`slipway user list\` shows all`);
}
