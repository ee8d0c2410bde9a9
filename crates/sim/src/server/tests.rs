use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::engine::Stats;

const BOUND: Duration = Duration::from_secs(60);

fn options(framework: Framework, line: &str) -> ServerOptions {
    let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
    match cli::parse(framework, &words, &|_| None) {
        Ok(Command::Serve(options)) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

fn model_words(framework: Framework) -> &'static str {
    match framework {
        Framework::Sglang => "--model-path org/m-8b --enable-metrics",
        Framework::LlamaCpp => "-m org/m-8b --metrics",
        _ => "org/m-8b",
    }
}

async fn server(framework: Framework, more: &str) -> SimServer {
    let line = format!("{} --sim-startup-s 0 {more}", model_words(framework));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    serve_on(listener, options(framework, &line)).unwrap()
}

async fn ready(framework: Framework, more: &str) -> SimServer {
    let server = server(framework, more).await;
    server.ready().await;
    server
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// One request on its own connection.
async fn send(server: &SimServer, method: &str, path: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

async fn get(server: &SimServer, path: &str) -> Answer {
    send(server, "GET", path, "").await
}

async fn stats_when(server: &SimServer, wanted: impl Fn(&Stats) -> bool) -> Stats {
    let wait = async {
        loop {
            let stats = server.stats().await.expect("the engine lives");
            if wanted(&stats) {
                return stats;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BOUND, wait).await.expect("the condition holds in time")
}

#[tokio::test]
async fn a_server_that_loads_answers_503() {
    let loading = server(Framework::Sglang, "--sim-fault hang").await;
    assert_eq!(get(&loading, "/health").await.status, 503);
    assert_eq!(send(&loading, "POST", "/v1/completions", r#"{"prompt":"x"}"#).await.status, 503);
    let loaded = ready(Framework::Sglang, "").await;
    assert_eq!(get(&loaded, "/health").await.status, 200);
}

#[tokio::test]
async fn every_framework_streams_exactly_the_tokens_that_it_counts() {
    for framework in Framework::ALL {
        let server = ready(framework, "").await;
        let body = r#"{"model":"org/m-8b","prompt":[1,2,3,4,5],"max_tokens":7,"ignore_eos":true,"stream":true,
                      "stream_options":{"include_usage":true}}"#;
        let answer = send(&server, "POST", "/v1/completions", body).await;
        assert_eq!(answer.status, 200, "{framework}: {}", answer.body);
        assert!(answer.head.contains("x-podium-simulated: 1"), "{framework}");
        let text_events = answer.body.matches(r#""finish_reason":null"#).count();
        assert_eq!(text_events, 7, "{framework}: {}", answer.body);
        assert_eq!(answer.body.matches(r#""finish_reason":"length""#).count(), 1, "{framework}");
        assert!(answer.body.contains(r#""prompt_tokens":5,"total_tokens":12,"completion_tokens":7"#), "{framework}");
        assert!(answer.body.contains("data: [DONE]\n\n"), "{framework}");

        let models = get(&server, "/v1/models").await;
        assert!(models.body.contains(r#""id":"org/m-8b""#), "{framework}");
        assert!(models.body.contains(r#""simulated":true"#), "{framework}");

        stats_when(&server, |stats| stats.finished_length == 1 && stats.kv_used_blocks == 0).await;
        let metrics = get(&server, "/metrics").await.body;
        let (name, prefix) = match framework {
            Framework::Vllm => ("vllm:generation_tokens_total{engine=\"0\",model_name=\"org/m-8b\"} 7", "vllm:"),
            Framework::Sglang => ("sglang:generation_tokens_total{model_name=\"org/m-8b\"} 7", "sglang:"),
            Framework::TensorrtLlm => ("trtllm_request_success_total{model_name=\"org/m-8b\"} 1", "trtllm_"),
            Framework::Tokenspeed => {
                ("tokenspeed:generation_tokens_total{engine=\"0\",model_name=\"org/m-8b\"} 7", "tokenspeed:")
            }
            Framework::LlamaCpp => ("llamacpp:tokens_predicted_total 7", "llamacpp:"),
        };
        assert!(metrics.contains(name), "{framework}: {metrics}");
        assert!(metrics.lines().all(|line| line.starts_with('#') || line.starts_with(prefix)), "{framework}");
        if framework != Framework::LlamaCpp {
            assert!(metrics.contains("time_to_first_token_seconds_count"), "{framework}");
        }
    }
}

#[tokio::test]
async fn a_chat_begins_with_its_role_and_may_come_whole() {
    let server = ready(Framework::Vllm, "").await;
    let messages = r#""messages":[{"role":"user","content":"12345678"}],"max_tokens":3,"ignore_eos":true"#;
    let streamed = send(&server, "POST", "/v1/chat/completions", &format!("{{{messages},\"stream\":true}}")).await;
    let first = streamed.body.lines().find(|line| line.starts_with("data: ")).unwrap();
    assert!(first.contains(r#""delta":{"role":"assistant","content":""}"#), "{first}");
    assert!(!streamed.body.contains("\"usage\""), "usage was not asked for");
    let whole = send(&server, "POST", "/v1/chat/completions", &format!("{{{messages}}}")).await;
    assert!(whole.body.contains(r#""prompt_tokens":9,"total_tokens":12,"completion_tokens":3"#), "{}", whole.body);
    assert!(whole.body.contains(r#""message":{"role":"assistant","content":" simulated t"}"#), "{}", whole.body);
}

#[tokio::test]
async fn mistakes_get_the_real_servers_status() {
    let vllm = ready(Framework::Vllm, "--max-model-len 100").await;
    let sglang = ready(Framework::Sglang, "--context-length 100").await;
    let long = r#"{"prompt":[1,2,3],"max_tokens":98}"#;
    let other = r#"{"model":"other","prompt":"x","max_tokens":1}"#;
    let cases = [
        (&vllm, "/v1/completions", other, 404, "The model `other` does not exist."),
        (&sglang, "/v1/completions", other, 200, "text_completion"),
        (&vllm, "/v1/completions", long, 400, "maximum context length is 100 tokens"),
        (&sglang, "/v1/completions", long, 400, "maximum context length is 100 tokens"),
        (&vllm, "/v1/completions", "{", 400, "not valid JSON"),
        (&vllm, "/v1/chat/completions", "{}", 400, "`messages`"),
        (&vllm, "/v1/nothing", "{}", 404, "nothing at this path"),
    ];
    for (server, path, body, status, part) in cases {
        let answer = send(server, "POST", path, body).await;
        assert_eq!(answer.status, status, "{path} {body}");
        assert!(answer.body.contains(part), "{}", answer.body);
    }
    let quiet = ready(Framework::Vllm, "--sim-fault http500").await;
    assert_eq!(send(&quiet, "POST", "/v1/completions", other).await.status, 500);
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_request() {
    let server = ready(Framework::Vllm, "").await;
    {
        let mut stream = TcpStream::connect(server.addr()).await.unwrap();
        let body = r#"{"prompt":"x","max_tokens":30000,"ignore_eos":true,"stream":true}"#;
        let request =
            format!("POST /v1/completions HTTP/1.1\r\nhost: sim\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).await.unwrap();
        stats_when(&server, |stats| stats.running == 1).await;
    }
    let stats = stats_when(&server, |stats| stats.running == 0).await;
    assert_eq!((stats.aborted, stats.kv_used_blocks), (1, 0));
    server.shutdown().await;
}

#[tokio::test]
async fn equal_prompts_report_cached_tokens() {
    let server = ready(Framework::Vllm, "").await;
    let body = format!(r#"{{"prompt":"{}","max_tokens":1}}"#, "abcd".repeat(100));
    let first = send(&server, "POST", "/v1/completions", &body).await;
    assert!(first.body.contains(r#""cached_tokens":0"#), "{}", first.body);
    let second = send(&server, "POST", "/v1/completions", &body).await;
    assert!(second.body.contains(r#""cached_tokens":96"#), "6 of 6 full blocks of 16: {}", second.body);
}

#[tokio::test]
async fn too_little_memory_left_kills_the_engine_under_load() {
    let server = ready(Framework::Vllm, "--gpu-memory-utilization 0.99 --max-model-len 20000").await;
    let small = send(&server, "POST", "/v1/completions", r#"{"prompt":"x","max_tokens":1}"#).await;
    assert_eq!(small.status, 200, "a small step fits");
    let prompt = "abcd".repeat(12_000);
    let body = format!(r#"{{"prompt":"{prompt}","max_tokens":1}}"#);
    assert_eq!(send(&server, "POST", "/v1/completions", &body).await.status, 500);
    let death = tokio::time::timeout(BOUND, server.died()).await.expect("the death is reported");
    assert!(matches!(death, Death::OutOfMemory(crash) if crash.tried_bytes > crash.free_bytes), "{death:?}");
}

#[tokio::test]
async fn the_crash_fault_counts_requests() {
    let server = ready(Framework::Sglang, "--sim-fault crash-after=1").await;
    let body = r#"{"prompt":"x","max_tokens":1}"#;
    assert_eq!(send(&server, "POST", "/v1/completions", body).await.status, 200);
    assert_eq!(send(&server, "POST", "/v1/completions", body).await.status, 500);
    assert_eq!(tokio::time::timeout(BOUND, server.died()).await.expect("the death is reported"), Death::Fault);
}

#[tokio::test]
async fn a_server_that_cannot_start_exits_with_its_code() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let cases = [
        ("org/m-8b --nope".to_owned(), 2),
        ("org/m-8b -tp 3".to_owned(), 1),
        (format!("org/m-8b --port {port} --sim-startup-s 0"), 1),
        ("org/m-70b --port 0 --sim-startup-s 0".to_owned(), 1),
        ("org/m-8b --sim-fault exit=7".to_owned(), 7),
    ];
    for (line, code) in cases {
        let words = line.split(' ').map(str::to_owned).collect();
        let exit = tokio::time::timeout(BOUND, run(Framework::Vllm, words)).await.expect("it exits by itself");
        assert_eq!(format!("{exit:?}"), format!("{:?}", ExitCode::from(code)), "{line}");
    }
}
