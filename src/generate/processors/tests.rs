use super::*;

fn kept(processor: Processor, logits: &[f32]) -> Vec<usize> {
    let mut logits = logits.to_vec();
    processor.apply(&mut logits, &Seen::default());
    (0..logits.len()).filter(|id| logits[*id] > f32::NEG_INFINITY).collect()
}

#[test]
fn ties_at_the_kth_value_are_kept() {
    assert_eq!(kept(Processor::TopK(2), &[1.0, 3.0, 2.0, 2.0]), [1, 2, 3]);
    assert_eq!(kept(Processor::TopK(9), &[1.0, 2.0]), [0, 1]);
}

#[test]
fn the_nucleus_reaches_p_and_is_never_empty() {
    let logits = [0.3f32, 0.1, 0.1, 0.5].map(f32::ln);
    assert_eq!(kept(Processor::TopP(0.8), &logits), [0, 3]);
    assert_eq!(kept(Processor::TopP(0.01), &logits), [3]);
    // Of equal ones the first go first.
    assert_eq!(kept(Processor::TopP(0.5), &[-1e9, 0.0, 0.0, -0.0, 0.0]), [3, 4]);
}

#[test]
fn an_excluded_token_stays_excluded() {
    let logits = [f32::NEG_INFINITY, 0.0, 0.0];
    for processor in [
        Processor::Temperature(0.5),
        Processor::TopK(3),
        Processor::TopP(0.99),
        Processor::MinP(0.0),
        Processor::TypicalP(0.99),
        Processor::EpsilonCutoff(0.1),
        Processor::EtaCutoff(0.1),
    ] {
        assert_eq!(kept(processor.clone(), &logits)[0], 1, "{processor:?}");
    }
}

#[test]
fn typical_sampling_may_leave_out_the_likeliest_token() {
    let mut probabilities = vec![0.4f32];
    probabilities.extend([0.06; 10]);
    let logits: Vec<f32> = probabilities.into_iter().map(f32::ln).collect();
    assert_eq!(kept(Processor::TypicalP(0.5), &logits), (1..=10).collect::<Vec<_>>());
}

#[test]
fn a_temperature_next_to_zero_leaves_numbers() {
    let mut logits = [30.0f32, 20.0, -50.0];
    Processor::Temperature(1e-40).apply(&mut logits, &Seen::default());
    assert_eq!(logits[0], 0.0);
    assert!(logits[1] < -1e30 && !logits.iter().any(|logit| logit.is_nan()));
}

#[test]
fn the_order_can_be_changed_and_is_checked() {
    let mut options = SamplingOptions { temperature: Some(2.0), top_k: Some(3), ..Default::default() };
    let names = |options: &SamplingOptions| -> Vec<_> {
        options.processors(10).unwrap().iter().map(Processor::name).collect()
    };
    assert_eq!(names(&options), ["temperature", "top_k"]);
    let order = Value::List(vec![Value::Text("top_k".into())]);
    options.order = Some(Order::from_value(&order).unwrap());
    assert_eq!(names(&options), ["top_k", "temperature"]);
    assert!(Order::from_value(&Value::List(vec![Value::Text("seed".into())])).is_err());
    assert!(options.processors(2).is_err());
}

#[test]
fn the_nucleus_is_the_same_whatever_the_order_of_the_ids() {
    let logits: Vec<f32> = (0..2000).map(|i| ((i * 7919) % 2003) as f32 / 150.0 - 9.0).collect();
    let mut by_value = logits.clone();
    by_value.sort_by(f32::total_cmp);
    for p in [0.01, 0.5, 0.9, 0.999] {
        let kept = kept(Processor::TopP(p), &logits);
        let mut values: Vec<f32> = kept.iter().map(|id| logits[*id]).collect();
        values.sort_by(f32::total_cmp);
        assert_eq!(values, by_value[by_value.len() - kept.len()..], "{p}");
    }
}

#[test]
fn a_wide_row_is_cut_as_a_plain_sort_cuts_it() {
    // From likely to hopeless: what is passed or left aside without a look must make no difference.
    let logits: Vec<f32> = (0..50_257).map(|i| -(((i * 7919) % 50_257) as f32) / 900.0).collect();
    let total: f64 = logits.iter().map(|logit| f64::from(logit.exp())).sum();
    let p = |id: &usize| f64::from(logits[*id].exp()) / total;
    let entropy: f64 = (0..logits.len()).map(|id| -p(&id) * p(&id).ln()).sum();
    let until = |mass: f64, mut ids: Vec<usize>| {
        let mut sum = 0.0;
        let end = ids.iter().position(|id| {
            sum += p(id);
            sum >= mass
        });
        ids.truncate(end.unwrap() + 1);
        ids.sort_unstable();
        ids
    };
    for mass in [0.2, 0.9, 0.95] {
        let mut ids: Vec<usize> = (0..logits.len()).collect();
        ids.sort_by(|a, b| p(b).total_cmp(&p(a)));
        assert_eq!(kept(Processor::TopP(mass), &logits), until(mass, ids.clone()), "top-p {mass}");
        let distance = |id: &usize| (-p(id).ln() - entropy).abs();
        ids.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
        assert_eq!(kept(Processor::TypicalP(mass), &logits), until(mass, ids), "typical {mass}");
    }
}

#[test]
fn a_draw_takes_what_can_be_drawn_by_its_share() {
    let mut sampler = crate::generate::Sampler::new(&SamplingOptions { seed: Some(1), ..Default::default() });
    let mut probabilities = vec![0.0f32; 2000];
    (probabilities[3], probabilities[1500]) = (0.25, 0.75);
    let drawn: Vec<usize> = (0..4000).map(|_| sampler.draw(&probabilities)).collect();
    assert!(drawn.iter().all(|place| [3, 1500].contains(place)));
    let first = drawn.iter().filter(|place| **place == 3).count();
    assert!((900..1100).contains(&first), "{first}");
}
