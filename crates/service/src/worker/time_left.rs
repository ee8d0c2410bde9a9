//! How long the rest of a run's candidates will take, from what the others took.

use std::time::Duration;

/// Less than this is not worth a line in a run's history.
const WORTH_SAYING: Duration = Duration::from_secs(60);

/// A sentence on the time that is left, once `tried` candidates took `elapsed` together, on however many nodes at once; `None`
/// where nothing is left, or next to nothing.
pub(super) fn time_left(tried: u32, left: u32, elapsed: Duration) -> Option<String> {
    let rest = elapsed.checked_div(tried)?.saturating_mul(left);
    if left == 0 || rest < WORTH_SAYING {
        return None;
    }
    let minutes = rest.as_secs().div_ceil(60);
    Some(format!("{tried} candidates are tried and {left} are not: about {minutes} min are left for those"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_takes_as_long_as_what_was_tried() {
        let left = |tried, left, s| time_left(tried, left, Duration::from_secs(s));
        assert_eq!(left(2, 3, 240).unwrap(), "2 candidates are tried and 3 are not: about 6 min are left for those");
        assert_eq!(left(4, 1, 250).unwrap(), "4 candidates are tried and 1 are not: about 2 min are left for those");
        assert_eq!(left(0, 3, 240), None, "nothing is known yet");
        assert_eq!(left(3, 0, 240), None);
        assert_eq!(left(3, 3, 30), None, "it is over at once");
    }
}
