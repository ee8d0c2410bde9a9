import { defineConfig } from '@playwright/test';

// The caller names the folder for everything that a run leaves behind; by hand it lands beside this file.
const output = process.env.PODIUM_E2E_OUTPUT ?? '.';

export default defineConfig({
  testDir: './tests',
  outputDir: `${output}/test-results`,
  forbidOnly: true,
  fullyParallel: false,
  workers: 1,
  retries: 0,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [
    ['list'],
    ['json', { outputFile: `${output}/playwright-report/results.json` }],
    ['html', { outputFolder: `${output}/playwright-report/html`, open: 'never' }],
  ],
  use: {
    browserName: 'chromium',
    viewport: { width: 1280, height: 800 },
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.PODIUM_CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
