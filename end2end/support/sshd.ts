import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PROGRAM = '/usr/sbin/sshd';

/** How long the server may take until it answers, in milliseconds. */
const START_LIMIT_MS = 20_000;

/** An SSH server on the loopback address, with keys and a home folder of its own. */
export class Sshd {
  private constructor(
    private readonly folder: string,
    private readonly child: ChildProcess,
  ) {}

  static available(): boolean {
    return existsSync(PROGRAM);
  }

  /** Starts one and waits until it answers. `far` is its alias in [`sshConfig`]. */
  static async start(): Promise<Sshd> {
    const folder = mkdtempSync(join(tmpdir(), 'podium-sshd-'));
    const at = (name: string) => join(folder, name);
    const write = (name: string, lines: string[]) => writeFileSync(at(name), `${lines.join('\n')}\n`);
    for (const key of ['host_key', 'user_key']) {
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(key)]);
    }
    const publicKey = (name: string) => readFileSync(`${at(name)}.pub`, 'utf8').trim();
    const port = await freePort();
    mkdirSync(at('home'));
    write('authorized_keys', [publicKey('user_key')]);
    write('known_hosts', [`[127.0.0.1]:${port} ${publicKey('host_key')}`]);
    write('sshd_config', [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${at('host_key')}`,
      `AuthorizedKeysFile ${at('authorized_keys')}`,
      `PidFile ${at('pid')}`,
      `ForceCommand cd ${at('home')} && HOME=${at('home')} exec sh -c "$SSH_ORIGINAL_COMMAND"`,
      'UsePAM no',
      'StrictModes no',
      'PasswordAuthentication no',
    ]);
    write('ssh_config', [
      'Host far',
      '  HostName 127.0.0.1',
      `  Port ${port}`,
      `  IdentityFile ${at('user_key')}`,
      '  IdentitiesOnly yes',
      `  UserKnownHostsFile ${at('known_hosts')}`,
      '  GlobalKnownHostsFile /dev/null',
    ]);
    // Where the server drops its rights to; a started system has it.
    if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true });
    const child = spawn(PROGRAM, ['-D', '-e', '-f', at('sshd_config')], { stdio: 'ignore' });
    const sshd = new Sshd(folder, child);
    try {
      await answers(port);
      return sshd;
    } catch (error) {
      await sshd.stop();
      throw error;
    }
  }

  get sshConfig(): string {
    return join(this.folder, 'ssh_config');
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const gone = new Promise((resolve) => this.child.once('exit', resolve));
      this.child.kill('SIGTERM');
      await gone;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}

async function answers(port: number): Promise<void> {
  const end = Date.now() + START_LIMIT_MS;
  while (!(await connects(port))) {
    if (Date.now() > end) throw new Error(`sshd did not answer within ${START_LIMIT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const tell = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => tell(true));
    socket.once('error', () => tell(false));
  });
}
