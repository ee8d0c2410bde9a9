//! HTTP/1.1 as servers and proxies may speak it, byte for byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use podium_domain::measure::Summary;
use podium_domain::plan::Endpoint;
use podium_loadgen::LoadJob;
use podium_loadgen::workload::DatasetSpec;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::support::{outcome, workload};
use super::{LOAD, failure};

const REQUESTS: u32 = 4;
/// One answer of two tokens, as events of a stream.
const EVENTS: &str = "data: {\"choices\":[{\"index\":0,\"text\":\"a\"}]}\n\n\
                      data: {\"choices\":[{\"index\":0,\"text\":\"b\",\"finish_reason\":\"length\"}],\
                      \"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";

/// What a scripted server does with each request.
#[derive(Clone, Default)]
struct Script {
    answer: String,
    /// How many bytes of the answer one write has; 0: all.
    piece: usize,
    /// Whether it closes the connection after the answer.
    closes: bool,
    /// Whether it answers when it has read the head of a request, and its body afterwards.
    hasty: bool,
}

/// Answers as scripted until it is dropped; counts its connections.
struct Scripted {
    base_url: String,
    connections: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Scripted {
    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                // Ends when its client does, or with the server.
                open.spawn(serve(stream, script.clone()));
            }
        });
        Scripted { base_url, connections, _serving: serving }
    }

    async fn measure(&self, input_len: u32) -> Summary {
        let mut workload = workload(Endpoint::Completions, REQUESTS, 2);
        if let DatasetSpec::Random { input_len: length, .. } = &mut workload.dataset {
            *length = input_len;
        }
        let job = LoadJob { request_timeout_s: 60.0, ..LoadJob::new(self.base_url.clone(), workload, LOAD) };
        outcome(job).await.report.summary
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn serve(mut stream: TcpStream, script: Script) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut unread = Vec::new();
    loop {
        let (head, length) = loop {
            if let Some(end) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&unread[..end]).to_ascii_lowercase();
                let length = head.split("content-length: ").nth(1)?.split("\r\n").next()?.parse::<usize>().ok()?;
                break (end + 4, length);
            }
            if stream.read_buf(&mut unread).await.ok()? == 0 {
                return None;
            }
        };
        if script.hasty {
            answer(&mut stream, &script).await?;
        }
        while unread.len() < head + length {
            if stream.read_buf(&mut unread).await.ok()? == 0 {
                return None;
            }
        }
        unread.drain(..head + length);
        if !script.hasty {
            answer(&mut stream, &script).await?;
        }
        if script.closes {
            return stream.shutdown().await.ok();
        }
    }
}

async fn answer(stream: &mut TcpStream, script: &Script) -> Option<()> {
    let bytes = script.answer.as_bytes();
    for piece in bytes.chunks(if script.piece == 0 { bytes.len() } else { script.piece }) {
        stream.write_all(piece).await.ok()?;
        tokio::task::yield_now().await;
    }
    Some(())
}

fn chunked(extra_headers: &str) -> String {
    let (first, second) = EVENTS.split_at(30);
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{extra_headers}Transfer-Encoding: chunked\r\n\r\n\
         {:X}\r\n{first}\r\n{:x};last=yes\r\n{second}\r\n0\r\nx-trailer: 1\r\n\r\n",
        first.len(),
        second.len()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_framing_of_an_answer_is_read() {
    let until_closed = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{EVENTS}");
    let of_length = |version: &str, headers: &str| {
        let length = EVENTS.len();
        let head = format!("content-type: text/event-stream\r\ncontent-length: {length}\r\n{headers}");
        format!("{version} 200 OK\r\n{head}\r\n{EVENTS}")
    };
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    let whole = |answer: String| Script { answer, ..Script::default() };
    let cases = [
        ("chunks", whole(chunked("")), true),
        ("chunks, byte by byte", Script { piece: 1, ..whole(chunked("")) }, true),
        ("a length", whole(of_length("HTTP/1.1", "")), true),
        ("a length in HTTP/1.0", Script { closes: true, ..whole(of_length("HTTP/1.0", "")) }, false),
        ("a length in HTTP/1.0, kept", whole(of_length("HTTP/1.0", "connection: keep-alive\r\n")), true),
        ("the end of the connection", Script { closes: true, ..whole(until_closed) }, false),
        ("an announced close", Script { closes: true, ..whole(chunked("Connection: close\r\n")) }, false),
        ("interim answers", whole(format!("{interim}{}", chunked(""))), true),
        ("interim answers, byte by byte", Script { piece: 1, ..whole(format!("{interim}{}", chunked(""))) }, true),
        ("bytes that belong to no answer", whole(format!("{}HTTP/1.1 200 OK\r\n", chunked(""))), false),
    ];
    for (name, script, reuses) in cases {
        let server = Scripted::start(script).await;
        let summary = server.measure(24).await;
        assert_eq!(summary.completed, u64::from(REQUESTS), "{name}: {:?}", summary.failures);
        assert_eq!(summary.output_tokens, Some(2 * u64::from(REQUESTS)), "{name}");
        // Three are open at a time.
        assert_eq!(server.connections() < REQUESTS as usize, reuses, "{name}: {} connections", server.connections());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_before_the_request_was_read_counts() {
    let refusal = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 9\r\n\r\ntoo large";
    let server = Scripted::start(Script { answer: refusal.to_owned(), hasty: true, ..Script::default() }).await;
    // More than the sockets hold.
    let summary = server.measure(400_000).await;
    let (class, count, example) = failure(&summary);
    assert_eq!((class, count), ("http_status", u64::from(REQUESTS)), "{example}");
    assert!(example.contains("413") && example.contains("too large"), "{example}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_answer_is_told_in_words() {
    let (start, _end) = EVENTS.split_at(20);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
    let cases = [
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned(), "no HTTP/1.1"),
        (format!("{head}content-length: x\r\n\r\n{EVENTS}"), "a content length that is no number"),
        (format!("{head}transfer-encoding: chunked\r\n\r\nx\r\n"), "a chunk without a size"),
        (format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(70_000)), "a head of more than 64 KiB"),
        (format!("{head}content-length: 500\r\n\r\n{start}"), "the server closed the connection"),
        (format!("{head}transfer-encoding: chunked\r\n\r\n14\r\n{start}\r\n"), "the server closed the connection"),
        ("HTTP/1.1 200 OK\r\ncontent-".to_owned(), "the server closed the connection"),
    ];
    for (answer, words) in cases {
        let server = Scripted::start(Script { answer, closes: true, ..Script::default() }).await;
        let summary = server.measure(24).await;
        let (class, count, example) = failure(&summary);
        assert_eq!((class, count), ("protocol", u64::from(REQUESTS)), "{words}: {example}");
        assert!(example.contains(words), "{words}: {example}");
    }
}
