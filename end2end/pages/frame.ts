import { type Locator, type Page } from '@playwright/test';

export type Theme = 'System' | 'Light' | 'Dark';

/** What is around every page: the rail and the theme switch. */
export class Frame {
  readonly navigation: Locator;
  readonly heading: Locator;
  private readonly themes: Locator;

  constructor(readonly page: Page) {
    this.navigation = page.getByRole('navigation', { name: 'Main' });
    this.heading = page.getByRole('heading', { level: 1 });
    this.themes = page.getByRole('group', { name: 'Colour theme' });
  }

  theme(theme: Theme): Locator {
    return this.themes.getByRole('button', { name: theme });
  }

  link(name: string): Locator {
    return this.navigation.getByRole('link', { name });
  }

  /** The colour that the page is painted in, as the browser computes it. */
  background(): Promise<string> {
    return this.page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  }
}
