//! Isotonic regression: the rising curve that is closest to noisy points.

/// The non-decreasing values closest to `points` (each a value and its weight, above 0) in weighted least squares, by
/// pooling adjacent violators; one value for each point, in their order.
pub fn rising_fit(points: &[(f64, f64)]) -> Vec<f64> {
    struct Pool {
        mean: f64,
        weight: f64,
        points: usize,
    }
    let mut pools: Vec<Pool> = Vec::with_capacity(points.len());
    for &(value, weight) in points {
        let mut pool = Pool { mean: value, weight, points: 1 };
        while let Some(before) = pools.pop_if(|before| before.mean > pool.mean) {
            let both = before.weight + pool.weight;
            pool.mean = (before.mean * before.weight + pool.mean * pool.weight) / both;
            pool.weight = both;
            pool.points += before.points;
        }
        pools.push(pool);
    }
    pools.into_iter().flat_map(|pool| std::iter::repeat_n(pool.mean, pool.points)).collect()
}

/// Where the fitted curve over `x` (ascending) leaves `level`, linear between points: the last `x` up to which it is at
/// most `level`, or a place between that one and the next. `None` where it is above from the first point on.
pub fn last_at_most(x: &[f64], fitted: &[f64], level: f64) -> Option<f64> {
    let below = fitted.iter().take_while(|value| **value <= level).count();
    let last = below.checked_sub(1)?;
    let (from, at) = (*x.get(last)?, fitted[last]);
    match (x.get(below), fitted.get(below)) {
        (Some(&to), Some(&above)) => Some(from + (to - from) * (level - at) / (above - at)),
        _ => Some(from),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn violators_are_pooled() {
        let points = [(1.0, 1.0), (3.0, 1.0), (2.0, 1.0), (2.0, 2.0), (5.0, 1.0)];
        assert_eq!(rising_fit(&points), [1.0, 2.25, 2.25, 2.25, 5.0]);
        assert_eq!(rising_fit(&[]), [0.0; 0]);
    }

    #[test]
    fn the_crossing_lies_between_the_points() {
        assert_eq!(last_at_most(&[1.0, 2.0, 4.0], &[-1.0, -0.5, 0.5], 0.0), Some(3.0));
        assert_eq!(last_at_most(&[1.0, 2.0], &[-1.0, -0.5], 0.0), Some(2.0));
        assert_eq!(last_at_most(&[1.0, 2.0], &[0.1, 0.5], 0.0), None);
    }

    proptest! {
        #[test]
        fn the_fit_rises_keeps_the_mean_and_leaves_rising_points(values in prop::collection::vec(-100.0..100.0f64, 1..40)) {
            let points: Vec<_> = values.iter().map(|v| (*v, 1.0)).collect();
            let fit = rising_fit(&points);
            prop_assert!(fit.windows(2).all(|w| w[0] <= w[1]));
            let (before, after): (f64, f64) = (values.iter().sum(), fit.iter().sum());
            prop_assert!((before - after).abs() < 1e-6);
            let again = rising_fit(&fit.iter().map(|v| (*v, 1.0)).collect::<Vec<_>>());
            prop_assert_eq!(again, fit);
        }
    }
}
