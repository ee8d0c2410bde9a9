import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { expect } from '@playwright/test';

/** How long a server may take until it prints its address, in milliseconds. */
const START_LIMIT_MS = 120_000;

/** A running `podium serve` with a data folder of its own. */
export class Podium {
  private constructor(
    readonly url: string,
    readonly dataDir: string,
    private readonly child: ChildProcess,
    private readonly lines: string[],
  ) {}

  /** Starts the binary that PODIUM_BIN names on a free port and waits for the line with its address. */
  static async start(more: string[] = []): Promise<Podium> {
    const binary = process.env.PODIUM_BIN;
    if (!binary) throw new Error('PODIUM_BIN does not name the podium binary; run the tests by `cargo xtask browser`');
    const dataDir = mkdtempSync(join(tmpdir(), 'podium-e2e-'));
    const child = spawn(binary, ['serve', '--listen', '127.0.0.1:0', ...more], {
      env: { ...process.env, PODIUM_DATA_DIR: dataDir },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const words: string[] = [];
    child.stderr!.on('data', (chunk: Buffer) => words.push(chunk.toString()));
    try {
      const lines: string[] = [];
      return new Podium(await address(child, words, lines), dataDir, child, lines);
    } catch (error) {
      child.kill('SIGKILL');
      rmSync(dataDir, { recursive: true, force: true });
      throw error;
    }
  }

  /** The path with which the owner chooses the first password; a server with accounts prints it behind its address. */
  async setUpLink(): Promise<string> {
    let path: string | undefined;
    await expect
      .poll(() => (path = this.lines.map((line) => /\/invite\/[0-9a-f]+$/.exec(line)?.[0]).find(Boolean)))
      .toBeTruthy();
    return path!;
  }

  /** Ends the server, waits until it is gone, and removes its data folder. */
  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const gone = new Promise((resolve) => this.child.once('exit', resolve));
      this.child.kill('SIGTERM');
      await gone;
    }
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

function address(child: ChildProcess, words: string[], lines: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (what: string) => reject(new Error(`podium ${what}\n${words.join('')}`));
    const limit = setTimeout(() => fail(`printed no address within ${START_LIMIT_MS} ms`), START_LIMIT_MS);
    child.once('error', (error) => fail(`could not be started: ${error.message}`));
    child.once('exit', (code) => fail(`ended at once with code ${code}`));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      lines.push(line);
      const found = /^listening on (http:\/\/\S+)$/.exec(line);
      if (found) {
        clearTimeout(limit);
        resolve(found[1]);
      }
    });
  });
}
