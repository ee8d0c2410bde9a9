//! The document around every page, and the table of routes.

use leptos::config::LeptosOptions;
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::SsrMode;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::path;

use crate::components::{SideRail, SkipLink};
use crate::escape::raw_text;
use crate::islands::ThemeSwitch;
use crate::pages::{
    AccountPage, ApiPage, AuditPage, ComparePage, CookbookPage, HomePage, HostsPage, ImportPage, InvitePage, LoginPage,
    NewPlanPage, NotFoundPage, PeoplePage, ReportPage, RunPage, SharedReportPage,
};

/// The path under which this build's script, module and style sheet are served, without a slash at the end. It
/// changes with their content, so browsers may keep them for ever. The server provides it as context.
#[derive(Clone, Debug)]
pub struct SiteRoot(pub String);

/// Sets the stored theme before the first paint, so that a dark page never flashes light.
const THEME_SCRIPT: &str = "(function(){try{var t=localStorage.getItem('podium-theme');\
    if(t==='light'||t==='dark'){document.documentElement.setAttribute('data-theme',t);}}catch(e){}})();";

/// The whole document. `options` names the output files; the [`SiteRoot`] in context says where they are.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let SiteRoot(root) = use_context::<SiteRoot>().unwrap_or_else(|| SiteRoot(String::new()));
    let style_sheet = format!("{root}/pkg/{}.css", options.output_name);
    let icon = format!("{root}/icon.svg");
    set_content_security_policy();

    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <script nonce=use_nonce()>{THEME_SCRIPT}</script>
                <link rel="stylesheet" href=style_sheet />
                <link rel="icon" href=icon type="image/svg+xml" />
                <HydrationScripts options islands=true root />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// Header, navigation and the page of the current address.
///
/// It runs once at start without a request to list the routes, so it expects nothing from context.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();

    view! {
        // Titles hold names that people chose, and are written into the document as they are.
        <Title formatter=|page: String| {
            if page.is_empty() { "Podium".to_owned() } else { format!("{} · Podium", raw_text(&page)) }
        } />
        <Router>
            <SkipLink />
            <div class="app">
                <header class="app-header">
                    <SideRail />
                    <ThemeSwitch />
                </header>
                <main id="main" class="app-main" tabindex="-1">
                    // Every page is rendered to its end before the first byte: complete without JavaScript, and
                    // free to set its status.
                    <Routes fallback=NotFoundPage>
                        <Route path=path!("/") view=HomePage ssr=SsrMode::Async />
                        <Route path=path!("/plans/new") view=NewPlanPage ssr=SsrMode::Async />
                        // Where the editor's form posts to: asked for by hand it is the editor as well.
                        <Route path=path!("/plans/start") view=NewPlanPage ssr=SsrMode::Async />
                        <Route path=path!("/runs/:id") view=RunPage ssr=SsrMode::Async />
                        <Route path=path!("/runs/:id/report") view=ReportPage ssr=SsrMode::Async />
                        <Route path=path!("/login") view=LoginPage ssr=SsrMode::Async />
                        <Route path=path!("/invite/:token") view=InvitePage ssr=SsrMode::Async />
                        <Route path=path!("/account") view=AccountPage ssr=SsrMode::Async />
                        <Route path=path!("/people") view=PeoplePage ssr=SsrMode::Async />
                        <Route path=path!("/api") view=ApiPage ssr=SsrMode::Async />
                        <Route path=path!("/audit") view=AuditPage ssr=SsrMode::Async />
                        <Route path=path!("/r/:token") view=SharedReportPage ssr=SsrMode::Async />
                        <Route path=path!("/compare") view=ComparePage ssr=SsrMode::Async />
                        <Route path=path!("/cookbook") view=CookbookPage ssr=SsrMode::Async />
                        <Route path=path!("/import") view=ImportPage ssr=SsrMode::Async />
                        <Route path=path!("/hosts") view=HostsPage ssr=SsrMode::Async />
                    </Routes>
                </main>
            </div>
        </Router>
    }
}

/// Forbids everything that this document does not need. The nonce is new for each response, so the header is set
/// here and not by the server's middleware, which covers all other responses.
fn set_content_security_policy() {
    let (Some(response), Some(nonce)) = (use_context::<ResponseOptions>(), use_nonce()) else { return };
    let policy = format!(
        "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    // A nonce is base64, which a header can always hold.
    if let Ok(value) = http::HeaderValue::from_str(&policy) {
        response.insert_header(http::header::CONTENT_SECURITY_POLICY, value);
    }
}
