import { expect, type Page, test as base } from '@playwright/test';

import { Podium } from './podium';

type TestFixtures = {
  /** What went wrong on the page unseen: console errors, uncaught exceptions, failed requests, policy violations. */
  problems: string[];
};

type WorkerFixtures = {
  /** One server for all tests of a worker. */
  podium: Podium;
};

/** Every test fails when its page complains, whatever else it checks. */
export const test = base.extend<TestFixtures, WorkerFixtures>({
  podium: [
    async ({}, use) => {
      const podium = await Podium.start();
      await use(podium);
      await podium.stop();
    },
    { scope: 'worker' },
  ],

  baseURL: async ({ podium }, use) => use(podium.url),

  problems: [
    async ({ page, javaScriptEnabled }, use) => {
      const problems: string[] = [];
      listen(page, problems, javaScriptEnabled);
      await use(problems);
      expect(problems, 'the page complained').toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

function listen(page: Page, problems: string[], scripts: boolean): void {
  page.on('console', (message) => {
    // With JavaScript switched off, what was fetched ahead for it is never used.
    if (!scripts && message.text().includes('was preloaded')) return;
    // Chromium reports violations of the content security policy as errors on the console.
    if (message.type() === 'error' || message.type() === 'warning') {
      problems.push(`${message.type()}: ${message.text()}`);
    }
  });
  page.on('pageerror', (error) => problems.push(`uncaught: ${error.message}`));
  page.on('requestfailed', (request) => {
    // With JavaScript switched off it is the browser itself that blocks the scripts.
    if (!scripts && request.resourceType() === 'script') return;
    // Leaving a page ends what it was still loading.
    if (request.failure()?.errorText === 'net::ERR_ABORTED') return;
    problems.push(`failed: ${request.url()} ${request.failure()?.errorText}`);
  });
}
