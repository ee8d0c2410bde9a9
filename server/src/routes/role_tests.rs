//! Each role against every route and server function, from the table that names them all: who may not is refused before
//! anything is done.

use axum::Router;
use axum::body::Body;
use axum::http::header::{ACCEPT, AUTHORIZATION, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use axum::http::{HeaderName, Request, StatusCode};
use axum::response::Response;
use podium_service::{Caller, Role, Service};
use tower::ServiceExt as _;

use super::table::{Access, TABLE};
use super::tests::form;
use crate::router::tests::{OWN, text, with_accounts};

const PASSWORD: &str = "a long enough password";

/// An address of a route in which every parameter is one that nothing has.
fn address(path: &str) -> String {
    path.replace("{id}", "00000000-0000-7000-8000-000000000000").replace("{token}", "0000").replace("{file}", "1.svg")
}

/// Sends a request without any body, as `who` says with a header of its own.
async fn send(router: &Router, method: &str, path: &str, who: Option<&(HeaderName, String)>) -> Response {
    let mut request =
        Request::builder().method(method).uri(path).header(HOST, OWN).header(ORIGIN, format!("http://{OWN}"));
    if let Some((name, value)) = who {
        request = request.header(name, value);
    }
    router.clone().oneshot(request.body(Body::empty()).expect("a request")).await.expect("the router never fails")
}

/// The header of somebody with this role, who signed in by the form.
async fn signed_in(router: &Router, service: &Service, role: Role) -> (HeaderName, String) {
    let invitation = service.add_person(Caller::owner(), role.word(), role).await.expect("a new name");
    service.choose_password(Caller::owner(), invitation.person.id, PASSWORD.to_owned()).await.expect("a password");
    let response = form(router, "/login", &[("name", role.word()), ("password", PASSWORD)], None).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    (COOKIE, kept_cookie(&response))
}

/// The cookie that a response makes a browser keep.
fn kept_cookie(response: &Response) -> String {
    let cookie = response.headers()[SET_COOKIE].to_str().expect("text");
    cookie.split(';').next().expect("a value").to_owned()
}

/// The header of a program with a token of this role, made by the owner.
async fn with_token(service: &Service, role: Role) -> (HeaderName, String) {
    let made = service.create_api_token(Caller::owner(), "test", role, 1).await.expect("a token");
    (AUTHORIZATION, format!("Bearer {}", made.secret))
}

#[tokio::test]
async fn each_role_is_refused_what_it_may_not_do_on_every_route() {
    let (router, service, _dir) = with_accounts(true).await;
    for row in TABLE {
        let response = send(&router, row.method, &address(row.path), None).await;
        match row.access {
            Access::Least(_) | Access::Own => {
                assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "nobody, {} {}", row.method, row.path);
            }
            _ => assert_ne!(response.status(), StatusCode::UNAUTHORIZED, "nobody, {} {}", row.method, row.path),
        }
    }
    for role in Role::ALL {
        let known = [signed_in(&router, &service, role).await, with_token(&service, role).await];
        for row in TABLE.iter().filter(|row| row.path != "/logout") {
            for who in &known {
                let response = send(&router, row.method, &address(row.path), Some(who)).await;
                let (status, what) = (response.status(), format!("{role}, {} {}", row.method, row.path));
                match row.access {
                    Access::Least(needed) if needed > role => {
                        assert_eq!(status, StatusCode::FORBIDDEN, "{what}");
                        assert!(text(response).await.contains(needed.word()), "{what}");
                    }
                    Access::Own if who.0 == AUTHORIZATION => assert_eq!(status, StatusCode::FORBIDDEN, "{what}"),
                    _ => {
                        let refused = [StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED].contains(&status);
                        // Where the own password was not sent, the form says so itself, with another status.
                        assert!(!refused, "{what}: {status}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_viewer_starts_nothing() {
    let (router, service, _dir) = with_accounts(true).await;
    let viewer = signed_in(&router, &service, Role::Viewer).await;
    let plan = include_str!("../../../configs/demo-simulated.yaml");
    for who in [&viewer, &with_token(&service, Role::Viewer).await] {
        let response = form(&router, "/plans/start", &[("yaml", plan)], Some(who)).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
    }
    let runs = service.list_runs(Caller::owner(), &podium_service::RunQuery::default(), 10).await.expect("an answer");
    assert!(runs.is_empty());
    let runner = signed_in(&router, &service, Role::Runner).await;
    let response = form(&router, "/plans/start", &[("yaml", plan)], Some(&runner)).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let log = service.audit_log(Caller::owner(), None, 1).await.expect("an answer");
    assert_eq!((log[0].action.as_str(), log[0].person.as_str()), ("run.start", "runner"));
}

#[tokio::test]
async fn nobody_is_led_to_the_form_and_back_and_the_cookie_is_for_the_browser_alone() {
    let (router, service, _dir) = with_accounts(true).await;
    let request = Request::get("/runs/7?a=b&c").header(HOST, OWN).header(ACCEPT, "text/html,*/*");
    let response = router.clone().oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
    assert_eq!(response.headers()[LOCATION], "/login?next=/runs/7%3Fa%3Db%26c");

    let login = text(send(&router, "GET", "/login?next=/hosts", None).await).await;
    assert!(login.contains("name=\"next\" value=\"/hosts\""), "{login}");
    assert!(!login.contains("href=\"/plans/new\""), "nobody sees the way to private pages: {login}");

    signed_in(&router, &service, Role::Viewer).await;
    let fields = [("name", "VIEWER"), ("password", PASSWORD), ("next", "//evil.example")];
    let response = form(&router, "/login", &fields, None).await;
    assert_eq!(response.headers()[LOCATION], "/");
    let cookie = response.headers()[SET_COOKIE].to_str().expect("text").to_owned();
    assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");

    // Signing out ends the session itself, not only the browser's memory of it.
    let who = (COOKIE, kept_cookie(&response));
    assert_eq!(send(&router, "GET", "/hosts", Some(&who)).await.status(), StatusCode::OK);
    let response = send(&router, "POST", "/logout", Some(&who)).await;
    assert!(response.headers()[SET_COOKIE].to_str().expect("text").contains("Max-Age=0"));
    assert_eq!(send(&router, "GET", "/hosts", Some(&who)).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn passwords_are_guessed_slowly_and_neither_name_nor_state_is_told() {
    let (router, service, _dir) = with_accounts(true).await;
    signed_in(&router, &service, Role::Runner).await;
    service.add_person(Caller::owner(), "invited", Role::Viewer).await.expect("a new name");
    for name in ["runner", "nobody", "invited"] {
        let response = form(&router, "/login", &[("name", name), ("password", "wrong")], None).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{name}");
        assert!(text(response).await.contains("name and password do not fit"), "{name}");
    }
    let mut last = StatusCode::FORBIDDEN;
    for _ in 0..20 {
        last = form(&router, "/login", &[("name", "runner"), ("password", "wrong")], None).await.status();
        if last != StatusCode::FORBIDDEN {
            break;
        }
    }
    assert_eq!(last, StatusCode::SERVICE_UNAVAILABLE);
    let right = form(&router, "/login", &[("name", "runner"), ("password", PASSWORD)], None).await;
    assert_eq!(right.status(), StatusCode::SERVICE_UNAVAILABLE, "the right password has to wait as well");
}

#[tokio::test]
async fn the_first_link_makes_the_owner_once() {
    let (router, service, _dir) = with_accounts(true).await;
    let old = service.set_up().await.expect("an answer").expect("nobody has a password").secret;
    let secret = service.set_up().await.expect("an answer").expect("nobody has a password").secret;
    let fields =
        |secret: &str| (format!("/invite/{secret}"), [("name", "ada"), ("password", PASSWORD), ("repeated", PASSWORD)]);
    let (path, sent) = fields(&old);
    assert_eq!(form(&router, &path, &sent, None).await.status(), StatusCode::NOT_FOUND, "a newer one replaced it");

    let (path, sent) = fields(&secret);
    let differs = [sent[0], sent[1], ("repeated", "another password")];
    assert_eq!(form(&router, &path, &differs, None).await.status(), StatusCode::BAD_REQUEST);
    let short = [sent[0], ("password", "short"), ("repeated", "short")];
    assert_eq!(form(&router, &path, &short, None).await.status(), StatusCode::BAD_REQUEST);
    let page = text(send(&router, "GET", &path, None).await).await;
    assert!(page.contains("value=\"owner\""), "{page}");

    let response = form(&router, &path, &sent, None).await;
    let who = (COOKIE, kept_cookie(&response));
    let people = text(send(&router, "GET", "/people", Some(&who)).await).await;
    assert!(people.contains("ada") && people.contains("owner, admin"), "{people}");
    assert_eq!(form(&router, &path, &sent, None).await.status(), StatusCode::NOT_FOUND, "it was used");
    assert!(service.set_up().await.expect("an answer").is_none());
}

#[tokio::test]
async fn an_admin_looks_after_people_and_everybody_after_their_own_account() {
    let (router, service, _dir) = with_accounts(true).await;
    let admin = signed_in(&router, &service, Role::Admin).await;
    let added = text(form(&router, "/people", &[("name", "grace"), ("role", "viewer")], Some(&admin)).await).await;
    let invited = added.split("/invite/").nth(1).expect("the page shows the invitation");
    let secret: String = invited.chars().take_while(char::is_ascii_hexdigit).collect();
    assert!(!text(send(&router, "GET", "/people", Some(&admin)).await).await.contains(&secret), "it is shown once");
    let again = form(&router, "/people", &[("name", "Grace"), ("role", "viewer")], Some(&admin)).await;
    assert_eq!(again.status(), StatusCode::CONFLICT);

    let chosen = [("name", "grace"), ("password", PASSWORD), ("repeated", PASSWORD)];
    let grace = (COOKIE, kept_cookie(&form(&router, &format!("/invite/{secret}"), &chosen, None).await));
    let person = service.person_named(Caller::owner(), "grace").await.expect("she is there");
    let of = |verb: &str| format!("/people/{}/{verb}", person.id);
    assert_eq!(form(&router, &of("role"), &[("role", "admin")], Some(&grace)).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(form(&router, &of("role"), &[("role", "runner")], Some(&admin)).await.status(), StatusCode::SEE_OTHER);
    // The owner stays.
    let owner = format!("/people/{}/disable", podium_service::OWNER);
    assert_eq!(form(&router, &owner, &[], Some(&admin)).await.status(), StatusCode::CONFLICT);

    let token = [("token_name", "ci"), ("role", "runner"), ("days", "30")];
    let shown = text(form(&router, "/account/tokens", &token, Some(&grace)).await).await;
    let place = shown.find("id=\"new-token\"").expect("the token has a place");
    let begin = place + shown[place..].find("podium_").expect("the token is shown");
    let secret: String = shown[begin..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let program = (AUTHORIZATION, format!("Bearer {secret}"));
    assert_eq!(send(&router, "GET", "/hosts", Some(&program)).await.status(), StatusCode::OK);
    let too_much = [("token_name", "ci"), ("role", "admin"), ("days", "30")];
    let refused = form(&router, "/account/tokens", &too_much, Some(&grace)).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN, "no token may more than its owner");

    let change = |old| [("old_password", old), ("new_password", "another long one"), ("repeated", "another long one")];
    let wrong = form(&router, "/account/password", &change("wrong"), Some(&grace)).await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    let changed = form(&router, "/account/password", &change(PASSWORD), Some(&grace)).await;
    assert_eq!(send(&router, "GET", "/account", Some(&grace)).await.status(), StatusCode::UNAUTHORIZED);
    let grace = (COOKIE, kept_cookie(&changed));
    assert_eq!(send(&router, "GET", "/account", Some(&grace)).await.status(), StatusCode::OK);

    form(&router, &of("disable"), &[], Some(&admin)).await;
    for who in [&grace, &program] {
        assert_eq!(send(&router, "GET", "/hosts", Some(who)).await.status(), StatusCode::UNAUTHORIZED);
    }
    form(&router, &of("enable"), &[], Some(&admin)).await;
    assert_eq!(send(&router, "GET", "/hosts", Some(&program)).await.status(), StatusCode::OK);
    form(&router, &of("reset"), &[], Some(&admin)).await;
    assert_eq!(send(&router, "GET", "/hosts", Some(&program)).await.status(), StatusCode::UNAUTHORIZED);

    let log = text(send(&router, "GET", "/audit", Some(&admin)).await).await;
    for action in ["person.add", "person.role", "person.disable", "person.enable", "person.reset", "token.create"] {
        assert!(log.contains(action), "{action} is not in {log}");
    }
    assert!(!log.contains(&secret));
}
