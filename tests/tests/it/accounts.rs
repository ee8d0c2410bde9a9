//! Podium for others: the first set-up, signing in, and links with a password, over HTTP and the command line.

use std::process::Stdio;

use podium_service::{Caller, Role, ShareOptions};
use podium_tests::bench::Bench;
use podium_tests::binaries::{Ended, podium, run};
use podium_tests::served::Served;
use podium_tests::{plans, quiet};
use reqwest::{Response, StatusCode};
use tokio::io::AsyncWriteExt as _;

const PASSWORD: &str = "a long enough password";

/// The cookie that an answer makes a browser keep.
fn cookie(answer: &Response) -> String {
    let header = answer.headers().get("set-cookie").expect("a cookie").to_str().expect("text");
    header.split(';').next().expect("a value").to_owned()
}

/// Posts a form without following where it leads.
async fn post(served: &Served, path: &str, fields: &[(&str, &str)], cookie: Option<&str>) -> Response {
    let mut request = served.form(&served.base_url, path, fields);
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let request = request.build().expect("a request");
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    client.execute(request).await.expect("an answer")
}

/// `podium user` over the same database.
async fn user(bench: &Bench, arguments: &[&str]) -> Ended {
    let data_dir = bench.folder().display().to_string();
    let all = ["user"].into_iter().chain(arguments.iter().copied()).chain(["--data-dir", &data_dir]);
    run(podium(all).env("DATABASE_URL", &bench.database_url)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_for_others_is_set_up_by_its_first_link_and_asks_everybody_to_sign_in() {
    let bench = Bench::new().await;
    let mut served = Served::with(&bench, &["--listen", "0.0.0.0:0"]).await;
    let line = served.lines.next_line().await.expect("a pipe that works").expect("the way to the first password");
    let path = line.split_once("/invite/").map(|(_, secret)| format!("/invite/{secret}")).expect("a link");

    for private in ["/", "/hosts", "/api/v1/runs", "/runs/x/report.json"] {
        assert_eq!(served.get(private).await.status(), StatusCode::UNAUTHORIZED, "{private}");
    }
    let asked = served.request("GET", "/hosts").header("accept", "text/html").send().await.expect("an answer");
    assert_eq!((asked.status(), asked.url().path()), (StatusCode::OK, "/login"));
    assert!(asked.text().await.expect("text").contains("type=\"password\""));

    assert!(served.page(&path).await.contains("This Podium is yours"));
    let chosen = [("name", "ada"), ("password", PASSWORD), ("repeated", PASSWORD)];
    let owner = cookie(&post(&served, &path, &chosen, None).await);
    assert_eq!(served.get(&path).await.status(), StatusCode::NOT_FOUND, "the link was used");
    let people = served.request("GET", "/people").header("cookie", &owner).send().await.expect("an answer");
    assert!(people.text().await.expect("text").contains("ada"));

    // The machine's own command line adds the others.
    let data_dir = bench.folder().display().to_string();
    let mut adding = podium(["user", "add", "grace", "--role", "viewer", "--password-stdin", "--data-dir", &data_dir]);
    let mut adding = adding.env("DATABASE_URL", &bench.database_url).stdin(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = adding.stdin.take().expect("standard input is a pipe");
    stdin.write_all(format!("{PASSWORD}\n").as_bytes()).await.expect("it reads");
    drop(stdin);
    assert!(adding.wait().await.expect("it ends").success());
    let signed_in = post(&served, "/login", &[("name", "Grace"), ("password", PASSWORD)], None).await;
    assert_eq!(signed_in.status(), StatusCode::SEE_OTHER);
    let grace = cookie(&signed_in);
    let started = post(&served, "/plans/start", &[("yaml", &plans::text("simulated.yaml"))], Some(&grace)).await;
    assert_eq!(started.status(), StatusCode::FORBIDDEN, "a viewer starts nothing");

    let listed = user(&bench, &["list"]).await.stdout;
    assert_eq!(listed, "ada: admin, owner, active\ngrace: viewer, active\n");
    assert_eq!(user(&bench, &["role", "grace", "runner"]).await.code, Some(0));
    let started = post(&served, "/plans/start", &[("yaml", &plans::text("simulated.yaml"))], Some(&grace)).await;
    assert_eq!(started.status(), StatusCode::SEE_OTHER, "the role counts at once");
    assert_eq!(user(&bench, &["disable", "grace"]).await.code, Some(0));
    let hosts = served.request("GET", "/hosts").header("cookie", &grace).send().await.expect("an answer");
    assert_eq!(hosts.status(), StatusCode::UNAUTHORIZED);
    let owner_stays = user(&bench, &["disable", "ada"]).await;
    assert!(owner_stays.code == Some(1) && owner_stays.stderr.contains("the owner stays admin"), "{owner_stays:?}");
    let invited = user(&bench, &["reset", "grace", "--url", "https://podium.example"]).await;
    assert!(invited.stdout.contains("https://podium.example/invite/"), "{invited:?}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_accounts_nobody_comes_through_a_proxy_and_with_them_cookies_are_secure() {
    let bench = Bench::new().await;
    let served = Served::over(&bench).await;
    let proxied = served.request("GET", "/").header("x-forwarded-for", "192.0.2.1").send().await.expect("an answer");
    assert_eq!(proxied.status(), StatusCode::FORBIDDEN);
    assert!(proxied.text().await.expect("text").contains("--accounts"));
    served.stop().await;

    let added = bench.service.add_person(Caller::owner(), "ada", Role::Viewer).await.expect("a new name");
    bench.service.choose_password(Caller::owner(), added.person.id, PASSWORD.to_owned()).await.expect("a password");
    let arguments = ["--listen", "127.0.0.1:0", "--accounts", "--url", "https://podium.example"];
    let served = Served::with(&bench, &arguments).await;
    let fields = [("name", "ada"), ("password", PASSWORD)];
    let login = served.form("https://podium.example", "/login", &fields).header("x-forwarded-for", "192.0.2.1");
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let answer = client.execute(login.build().expect("a request")).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let header = answer.headers()["set-cookie"].to_str().expect("text").to_owned();
    assert!(header.starts_with("__Host-podium-session=") && header.ends_with("; Secure"), "{header}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_with_a_password_shows_nothing_without_it_and_ends_at_its_time() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let frameworks = [plans::framework("sglang", &plans::simulated("sglang", ""))];
    let ended = bench.run(plans::plan("one_scenario.yaml", &frameworks)).await;
    let served = Served::over(&bench).await;
    let share = async |password: Option<&str>| {
        let options = ShareOptions { include_private: false, days: Some(1), password: password.map(str::to_owned) };
        let made = bench.service.share_report(Caller::owner(), ended.report.id, options).await.expect("a link");
        assert!(made.share.expires_at.is_some());
        format!("/r/{}", made.token)
    };
    let (open, locked) = (share(None).await, share(Some("sesame")).await);
    let title = &ended.report.report.title;
    assert!(served.page(&open).await.contains(title));

    let page = served.page(&locked).await;
    assert!(page.contains("type=\"password\"") && !page.contains("<script src"), "{page}");
    for private in [title.as_str(), ended.candidate_ids()[0], "og:title", "<svg"] {
        assert!(!page.contains(private), "{private} is on {page}");
    }
    assert_eq!(served.get(&format!("{locked}/charts/1.svg")).await.status(), StatusCode::FORBIDDEN);
    let unlock = format!("{locked}/unlock");
    let wrong = post(&served, &unlock, &[("password", "open")], None).await;
    assert_eq!(wrong.status(), StatusCode::FORBIDDEN);
    assert!(!wrong.text().await.expect("text").contains(title));

    let right = post(&served, &unlock, &[("password", "sesame")], None).await;
    assert_eq!(right.status(), StatusCode::SEE_OTHER);
    let header = right.headers()["set-cookie"].to_str().expect("text").to_owned();
    assert!(header.contains(&format!("Path={locked};")) && header.contains("HttpOnly"), "{header}");
    let key = cookie(&right);
    let with_key =
        async |path: &str| served.request("GET", path).header("cookie", &key).send().await.expect("an answer");
    assert!(with_key(&locked).await.text().await.expect("text").contains(title));
    assert_eq!(with_key(&format!("{locked}/charts/1.svg")).await.status(), StatusCode::OK);
    let other = share(Some("sesame")).await;
    let answer = with_key(&other).await;
    assert!(!answer.text().await.expect("text").contains(title), "one link's key opens no other");
    served.stop().await;
}
