//! The switch between the light, the dark and the system's colours.

use leptos::prelude::*;

/// Where the choice is kept in the browser. The start script in the page's head reads the same key.
pub(crate) const STORAGE_KEY: &str = "podium-theme";

/// Which colours the pages use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the operating system says.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// Every theme, in the order in which the switch goes through them.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The stored form, also the value of the page's `data-theme` attribute.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The word on the switch.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    /// Reads the stored form; anything else is the default.
    #[must_use]
    pub fn from_id(id: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.id() == id).unwrap_or_default()
    }
}

/// Three buttons, one of them pressed. Without JavaScript the style sheet hides them and the system's choice holds.
#[island]
pub fn ThemeSwitch() -> impl IntoView {
    let chosen = RwSignal::new(Theme::default());
    Effect::new(move |_| chosen.set(stored_theme()));
    let choose = move |theme: Theme| {
        chosen.set(theme);
        store_theme(theme);
    };

    view! {
        <div class="theme-switch" role="group" aria-label="Colour theme">
            {Theme::ALL
                .map(|theme| {
                    view! {
                        <button
                            type="button"
                            class="theme-switch-option"
                            data-theme-option=theme.id()
                            aria-pressed=move || if chosen.get() == theme { "true" } else { "false" }
                            on:click=move |_| choose(theme)
                        >
                            {theme.label()}
                        </button>
                    }
                })
                .collect_view()}
        </div>
    }
}

/// The stored choice; the default where there is none or the browser forbids storage.
fn stored_theme() -> Theme {
    let stored = storage().and_then(|storage| storage.get_item(STORAGE_KEY).ok().flatten());
    stored.map_or_else(Theme::default, |id| Theme::from_id(&id))
}

/// Applies the choice to the page and keeps it for the next one. A browser that forbids storage forgets it then.
fn store_theme(theme: Theme) {
    if let Some(root) = document().document_element() {
        // An attribute of a constant, valid name: setting it cannot fail.
        let _ = root.set_attribute("data-theme", theme.id());
    }
    if let Some(storage) = storage() {
        let _ = storage.set_item(STORAGE_KEY, theme.id());
    }
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::Theme;

    #[test]
    fn every_theme_is_read_back_from_its_id() {
        for theme in Theme::ALL {
            assert_eq!(Theme::from_id(theme.id()), theme);
        }
    }

    #[test]
    fn an_unknown_stored_value_falls_back_to_the_system() {
        assert_eq!(Theme::from_id("sepia"), Theme::System);
    }
}
