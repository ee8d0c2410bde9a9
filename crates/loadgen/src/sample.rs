//! What was seen of one request.

use serde::{Deserialize, Serialize};

use crate::event::FinishReason;

/// How a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// No connection could be made.
    Connect,
    /// No encrypted connection could be made.
    Tls,
    /// The server answered with another status than 2xx.
    HttpStatus,
    /// The answer was no complete answer: broken, cut short, or an error inside the stream.
    Protocol,
    /// The answer was silent for too long.
    Idle,
    /// The answer took too long.
    Deadline,
    /// The run was stopped first.
    Cancelled,
}

impl FailureClass {
    /// Every class; its position is its number in sample files.
    pub(crate) const ALL: [FailureClass; 7] = [
        FailureClass::Connect,
        FailureClass::Tls,
        FailureClass::HttpStatus,
        FailureClass::Protocol,
        FailureClass::Idle,
        FailureClass::Deadline,
        FailureClass::Cancelled,
    ];

    /// The class as its word in [`podium_domain::measure::FailureCount::class`].
    pub fn word(self) -> &'static str {
        match self {
            FailureClass::Connect => "connect",
            FailureClass::Tls => "tls",
            FailureClass::HttpStatus => "http_status",
            FailureClass::Protocol => "protocol",
            FailureClass::Idle => "idle",
            FailureClass::Deadline => "deadline",
            FailureClass::Cancelled => "cancelled",
        }
    }
}

/// One request. All times are nanoseconds since the measurement's start on one monotonic clock; a time that was never
/// reached is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestSample {
    /// Position in the workload.
    pub index: u32,
    /// The intended start: by the schedule, or in a closed loop the moment at which a slot was free.
    pub scheduled_at_ns: u64,
    /// How long the request waited for a slot under a cap.
    pub slot_wait_ns: u64,
    /// How long connecting the socket took; 0 on a kept connection.
    pub connect_ns: u64,
    /// How long the TLS handshake took; 0 on a kept connection and without TLS.
    pub tls_ns: u64,
    /// Just before the first byte of the request, on an established connection.
    pub sent_at_ns: Option<u64>,
    /// The read that brought the first byte of the answer.
    pub first_byte_at_ns: Option<u64>,
    /// The read that completed the first event with content, reasoning included.
    pub first_token_at_ns: Option<u64>,
    /// The read that completed the first event with visible content.
    pub first_visible_token_at_ns: Option<u64>,
    /// The read that completed the last event with content; for an answer that is not streamed, its last byte.
    pub last_token_at_ns: Option<u64>,
    /// The end of the answer, or the moment of failure.
    pub done_at_ns: Option<u64>,
    /// The content events after the first.
    pub gaps: EventGaps,
    /// Prompt tokens, by the server.
    pub input_tokens: Option<u32>,
    /// Output tokens, by the server.
    pub output_tokens: Option<u32>,
    /// Prompt tokens from the prefix cache, by the server.
    pub cached_tokens: Option<u32>,
    /// Why the answer ended.
    pub finish: FinishReason,
    /// How the request failed; `None` when it was answered to its end.
    pub failure: Option<FailureClass>,
}

impl RequestSample {
    /// Whether the request was answered to its end.
    pub fn is_complete(&self) -> bool {
        self.failure.is_none() && self.done_at_ns.is_some()
    }

    /// Content events received.
    pub fn content_events(&self) -> u32 {
        u32::from(self.first_token_at_ns.is_some()) + self.gaps.len()
    }

    /// TTFT from the sending, ns.
    pub fn ttft_ns(&self) -> Option<u64> {
        Some(self.first_token_at_ns?.saturating_sub(self.sent_at_ns?))
    }

    /// TTFT from the intended start, ns.
    pub fn user_ttft_ns(&self) -> Option<u64> {
        Some(self.first_token_at_ns?.saturating_sub(self.scheduled_at_ns))
    }

    /// From the sending to the last token, ns.
    pub fn e2e_ns(&self) -> Option<u64> {
        Some(self.last_token_at_ns?.saturating_sub(self.sent_at_ns?))
    }

    /// How late the request was sent, ns.
    pub fn schedule_lag_ns(&self) -> Option<u64> {
        Some(self.sent_at_ns?.saturating_sub(self.scheduled_at_ns))
    }

    /// Time per output token after the first, ms; `None` for one token and where the server did not count.
    pub fn tpot_ms(&self) -> Option<f64> {
        let later_tokens = self.output_tokens?.checked_sub(1).filter(|later| *later > 0)?;
        let generation_ns = self.last_token_at_ns?.saturating_sub(self.first_token_at_ns?);
        Some(generation_ns as f64 / 1e6 / f64::from(later_tokens))
    }

    /// Notes a content event that the read at `at_ns` completed.
    pub(crate) fn on_content(&mut self, at_ns: u64, visible: bool) {
        match self.last_token_at_ns {
            Some(last_ns) => self.gaps.push(at_ns.saturating_sub(last_ns)),
            None => self.first_token_at_ns = Some(at_ns),
        }
        self.last_token_at_ns = Some(at_ns);
        if visible && self.first_visible_token_at_ns.is_none() {
            self.first_visible_token_at_ns = Some(at_ns);
        }
    }
}

/// The gaps between the content events of one answer, ns, about three bytes each (LEB128).
///
/// A gap of 0 means that both events came in one socket read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventGaps {
    encoded: Vec<u8>,
    len: u32,
    zeros: u32,
}

impl EventGaps {
    /// How many gaps there are.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many events came in the same socket read as the one before them.
    pub fn coalesced(&self) -> u32 {
        self.zeros
    }

    /// Adds the next gap.
    pub fn push(&mut self, gap_ns: u64) {
        self.len += 1;
        self.zeros += u32::from(gap_ns == 0);
        let mut rest = gap_ns;
        while rest >= 0x80 {
            self.encoded.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.encoded.push(rest as u8);
    }

    /// The gaps in order, ns.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        let mut bytes = self.encoded.iter();
        std::iter::from_fn(move || {
            let (mut value, mut shift) = (0u64, 0u32);
            loop {
                let byte = *bytes.next()?;
                value |= u64::from(byte & 0x7F).checked_shl(shift).unwrap_or(0);
                if byte < 0x80 {
                    return Some(value);
                }
                shift += 7;
            }
        })
    }

    /// The stored form.
    pub(crate) fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    /// From the stored form.
    pub(crate) fn from_encoded(encoded: Vec<u8>) -> Self {
        let mut gaps = EventGaps { encoded, len: 0, zeros: 0 };
        let (len, zeros) = gaps.iter().fold((0, 0), |(len, zeros), gap| (len + 1, zeros + u32::from(gap == 0)));
        (gaps.len, gaps.zeros) = (len, zeros);
        gaps
    }

    /// Gives back memory that no further gap needs.
    pub(crate) fn shrink(&mut self) {
        self.encoded.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_of_a_request() {
        let mut sample = RequestSample {
            scheduled_at_ns: 1_000_000,
            sent_at_ns: Some(3_000_000),
            output_tokens: Some(3),
            ..RequestSample::default()
        };
        assert_eq!((sample.ttft_ns(), sample.tpot_ms(), sample.content_events()), (None, None, 0));
        sample.on_content(10_000_000, false);
        sample.on_content(12_000_000, true);
        sample.on_content(16_000_000, true);
        assert_eq!(sample.ttft_ns(), Some(7_000_000));
        assert_eq!(sample.user_ttft_ns(), Some(9_000_000));
        assert_eq!(sample.e2e_ns(), Some(13_000_000));
        assert_eq!(sample.schedule_lag_ns(), Some(2_000_000));
        assert_eq!(sample.first_visible_token_at_ns, Some(12_000_000));
        assert_eq!(sample.tpot_ms(), Some(3.0));
        assert_eq!(sample.content_events(), 3);
        assert_eq!(RequestSample { output_tokens: Some(1), ..sample }.tpot_ms(), None);
    }

    proptest! {
        #[test]
        fn gaps_survive_their_encoding(values in prop::collection::vec(prop_oneof![Just(0u64), any::<u64>()], 0..50)) {
            let mut gaps = EventGaps::default();
            values.iter().for_each(|gap| gaps.push(*gap));
            prop_assert_eq!(gaps.iter().collect::<Vec<_>>(), values.clone());
            prop_assert_eq!(gaps.len() as usize, values.len());
            let again = EventGaps::from_encoded(gaps.encoded().to_vec());
            prop_assert_eq!(again, gaps);
        }

        #[test]
        fn any_bytes_decode(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let gaps = EventGaps::from_encoded(bytes);
            prop_assert_eq!(gaps.iter().count(), gaps.len() as usize);
        }
    }
}
