use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const BOUND: Duration = Duration::from_secs(30);

fn quick() -> TruthConfig {
    TruthConfig { ttft: Duration::from_millis(2), itl: Duration::from_millis(1), ..TruthConfig::default() }
}

/// Sends one streamed chat on a fresh connection; everything that came back.
async fn chat(server: &TruthServer, max_tokens: u32) -> String {
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":"12345678"}}],"max_tokens":{max_tokens},"stream":true,"stream_options":{{"include_usage":true}}}}"#
    );
    let mut stream = TcpStream::connect(server.addr()).await.unwrap();
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    // Ends with a chunked body's end, or with an error object, which is never chunked.
    while !answer.ends_with(b"\r\n0\r\n\r\n") && !answer.ends_with(b"\"code\":500}}") {
        match stream.read(&mut piece).await.unwrap() {
            0 => break,
            n => answer.extend_from_slice(&piece[..n]),
        }
    }
    // Lossy: an event that is split inside a character has chunk framing between its bytes.
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn every_token_is_sent_and_recorded() {
    let config = TruthConfig { tokens_per_event: 3, reasoning_tokens: 3, cached_tokens: 2, ..quick() };
    let server = TruthServer::start(config).await.unwrap();
    let answer = chat(&server, 8).await;
    assert_eq!(answer.matches("\"role\":\"assistant\"").count(), 1);
    assert_eq!(answer.matches("reasoning_content").count(), 1);
    assert_eq!(answer.matches("\"delta\":{\"content\":").count(), 2);
    assert!(answer.contains(r#""prompt_tokens":9,"total_tokens":17,"completion_tokens":8"#), "{answer}");
    assert!(answer.contains(r#""cached_tokens":2"#) && answer.contains("data: [DONE]"));
    let records = server.wait_for_records(1, BOUND).await;
    assert_eq!(records[0].events.iter().map(|event| event.tokens).collect::<Vec<_>>(), [3, 3, 2]);
    assert!(records[0].ttft().unwrap() >= Duration::from_millis(2), "a token may never be early");
    assert_eq!((records[0].end, records[0].output_tokens()), (TruthEnd::Complete, 8));
    server.shutdown().await;
}

#[tokio::test]
async fn framing_changes_bytes_and_not_tokens() {
    let framing =
        Framing { crlf: true, comments: true, events_per_write: 3, split_events: true, head_with_first_event: true };
    let server = TruthServer::start(TruthConfig { framing, role_event: false, ..quick() }).await.unwrap();
    let answer = chat(&server, 7).await;
    assert_eq!(answer.matches(": ping\r\n").count(), 7);
    assert!(answer.contains("data: [DONE]\r\n\r\n"));
    let records = server.wait_for_records(1, BOUND).await;
    let mut writes: Vec<_> = records[0].events.iter().map(|event| event.written_at).collect();
    writes.dedup();
    assert_eq!((writes.len(), records[0].output_tokens()), (3, 7), "1 alone, then two groups of 3");
}

#[tokio::test]
async fn faults_strike_where_they_are_set() {
    let cases = [
        (Fault::Status(500), "HTTP/1.1 500", 0, TruthEnd::Fault),
        (Fault::CloseBeforeResponse, "", 0, TruthEnd::Fault),
        (Fault::CloseMidStream { after_tokens: 3 }, "text/event-stream", 3, TruthEnd::Fault),
        (Fault::EndWithoutDone { after_tokens: 2 }, "0\r\n\r\n", 2, TruthEnd::Fault),
        (Fault::ErrorEvent { after_tokens: 1 }, "data: {\"error\":", 1, TruthEnd::Fault),
        (Fault::MalformedEvent { after_tokens: 1 }, "data: {\"choices\": [{\"index\": 0, \n", 5, TruthEnd::Complete),
        (Fault::WrongUsage { extra_tokens: 4 }, "\"completion_tokens\":9", 5, TruthEnd::Complete),
        (
            Fault::Stall { after_tokens: 2, pause: Duration::from_millis(3) },
            "\"completion_tokens\":5",
            5,
            TruthEnd::Complete,
        ),
    ];
    for (fault, part, tokens, end) in cases {
        let server = TruthServer::start(TruthConfig { fault: Some(fault), ..quick() }).await.unwrap();
        let answer = chat(&server, 5).await;
        assert!(answer.contains(part), "{fault:?}: {answer}");
        let records = server.wait_for_records(1, BOUND).await;
        assert_eq!((records[0].output_tokens(), records[0].end), (tokens, end), "{fault:?}");
    }
}

#[tokio::test]
async fn a_fault_can_strike_every_nth_request_only() {
    let config = TruthConfig { fault: Some(Fault::CloseBeforeResponse), fault_every: 2, ..quick() };
    let server = TruthServer::start(config).await.unwrap();
    for index in 0..4 {
        assert_eq!(chat(&server, 1).await.is_empty(), index % 2 == 1, "request {index}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed() {
    let server = TruthServer::start(TruthConfig { ttft: Duration::from_secs(3600), ..quick() }).await.unwrap();
    {
        let mut stream = TcpStream::connect(server.addr()).await.unwrap();
        let body = r#"{"prompt":"x","stream":true}"#;
        let head = format!("POST /v1/completions HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
    }
    let records = server.wait_for_records(1, BOUND).await;
    assert_eq!(records[0].end, TruthEnd::ClientClosed);
    let refused = TcpStream::connect(TruthServer::refusing_addr().await.unwrap()).await;
    assert!(refused.is_err());
}
