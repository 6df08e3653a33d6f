//! What is seen inside a model is what transformers sees there (`scripts/make_fixtures.py`).

use tokenscope::analyse::attention::attention;
use tokenscope::analyse::attribution::attribution;
use tokenscope::analyse::contributions::contributions;
use tokenscope::analyse::lens::{Shade, lens};
use tokenscope::analyse::measure::Measure;
use tokenscope::analyse::neighbours::{neighbours, similarity};
use tokenscope::analyse::patching::{Stage, patch};
use tokenscope::analyse::perplexity::{Windows, perplexity};
use tokenscope::analyse::report::report;
use tokenscope::analyse::surprisal::{Start, surprisal};
use tokenscope::interrupt::Interrupt;
use tokenscope::model::Model;
use tokenscope::model::hook::Place;
use tokenscope::render::TextStyle;
use tokenscope::script::{Origin, Session, Settings as ScriptSettings, registry};

use super::reference::{FIXTURES, assert_same, ids, load, reference};

#[test]
fn a_trace_holds_the_residual_stream_of_transformers() {
    for fixture in FIXTURES {
        let (model, ids) = (load(fixture), ids(fixture));
        let trace = model.trace(&ids, &[Place::Before], &Interrupt::default()).unwrap();
        let mut found: Vec<f32> = Vec::new();
        let mut add =
            |x: &candle_core::Tensor| found.extend(x.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        (0..trace.layers()).for_each(|layer| add(trace.at(Place::Before, layer)));
        add(&model.gpt2().normalise(trace.last()).unwrap());
        assert_same(fixture, &found, &reference(fixture, "1.hidden_states"));
    }
}

#[test]
fn a_trace_holds_the_attention_patterns_of_transformers() {
    for fixture in FIXTURES {
        let trace = load(fixture).trace(&ids(fixture), &[Place::Qkv], &Interrupt::default()).unwrap();
        let layers = (0..trace.layers()).map(|layer| trace.patterns(layer).unwrap());
        let found: Vec<f32> = layers.flatten().flatten().flatten().collect();
        assert_same(fixture, &found, &reference(fixture, "1.attentions"));
    }
}

#[test]
fn what_the_parts_add_is_what_the_stream_gains() {
    for fixture in FIXTURES {
        let model = load(fixture);
        let trace = model
            .trace(
                &ids(fixture),
                &[Place::Before, Place::Mixed, Place::Attention, Place::Middle],
                &Interrupt::default(),
            )
            .unwrap();
        for layer in 0..trace.layers() {
            let row = |place| trace.at(place, layer).get(3).unwrap().to_vec1::<f32>().unwrap();
            let heads = model.gpt2().head_outputs(layer, &row(Place::Mixed)).unwrap();
            assert_eq!(heads.len(), trace.heads() + 1);
            let sum = |column: usize| heads.iter().map(|head| head[column]).sum::<f32>();
            let attention: Vec<f32> = (0..heads[0].len()).map(sum).collect();
            assert_same(fixture, &attention, &row(Place::Attention));
            let middle: Vec<f32> =
                row(Place::Before).iter().zip(&row(Place::Attention)).map(|(a, b)| a + b).collect();
            assert_same(fixture, &middle, &row(Place::Middle));
        }
    }
}

#[test]
fn mean_surprisal_is_the_loss_of_transformers() {
    for fixture in FIXTURES {
        let (model, ids) = (load(fixture), ids(fixture));
        let tokens = model.tokenizer().tokens(ids.clone()).unwrap();
        let found = surprisal(&model, &tokens, Start::Bare, None, &Interrupt::default()).unwrap();
        let loss = found.mean().unwrap() * std::f64::consts::LN_2;
        assert_same(fixture, &[loss as f32], &reference(fixture, "1.loss"));
        assert_eq!((found.predictions.len(), found.predictions[0]), (ids.len(), None));

        let windows = Windows { window: None, stride: None, start: Start::Bare };
        let whole = perplexity(&model, &tokens, &windows, &Interrupt::default(), |_| {}).unwrap();
        assert!((whole.bits_per_token() - found.mean().unwrap()).abs() < 1e-9);
    }
}

#[test]
fn a_sliding_window_scores_each_token_once_with_the_context_that_it_has() {
    let model = load("default");
    let ids: Vec<u32> = (0..23).map(|n| (n * 37 + 5) % 300).collect();
    let tokens = model.tokenizer().tokens(ids.clone()).unwrap();
    for (window, stride) in [(8, 3), (8, 8), (5, 1), (16, 8), (23, 10)] {
        // What transformers' documentation computes, window by window.
        let (mut bits, mut scored, mut windows, mut done, mut begin) = (0.0, 0, 0, 0, 0);
        loop {
            let end = (begin + window).min(ids.len());
            let read = model.tokenizer().tokens(&ids[begin..end]).unwrap();
            let found = surprisal(&model, &read, Start::Bare, None, &Interrupt::default()).unwrap();
            let new = found.predictions[done - begin..].iter().flatten();
            bits += new.clone().map(|prediction| prediction.bits).sum::<f64>();
            scored += new.count();
            (windows, done) = (windows + 1, end);
            if end == ids.len() {
                break;
            }
            begin += stride;
        }
        let options = Windows { window: Some(window), stride: Some(stride), start: Start::Bare };
        let mut advanced = 0;
        let found = perplexity(&model, &tokens, &options, &Interrupt::default(), |tokens| advanced += tokens)
            .unwrap();
        assert_eq!((found.scored, found.windows, advanced), (scored, windows, ids.len()));
        assert!((found.bits - bits).abs() < 1e-3, "{window} {stride}: {} and {bits}", found.bits);
    }
}

#[test]
fn windows_that_make_no_sense_are_refused_with_their_bounds() {
    let model = Model::pocket().unwrap();
    let tokens = model.tokenizer().tokenize("The cat sat on the mat.");
    let error = |window, stride| {
        let windows = Windows { window, stride, start: Start::Bare };
        perplexity(&model, &tokens, &windows, &Interrupt::default(), |_| {}).unwrap_err().to_string()
    };
    assert_eq!(error(Some(513), None), "`window` is 513, but must be at least 2 and at most the model's 512");
    assert_eq!(error(Some(8), Some(9)), "`stride` is 9, but must be at least 1 and at most the window's 8");
    let one = model.tokenizer().tokenize("The");
    let read = |start| surprisal(&model, &one, start, None, &Interrupt::default()).unwrap().predictions.len();
    assert_eq!([Start::Bare, Start::AfterEndOfText].map(read), [1, 1]);
    let empty = model.tokenizer().tokenize("");
    assert!(surprisal(&model, &empty, Start::AfterEndOfText, None, &Interrupt::default()).is_err());
}

#[test]
fn contributions_sum_to_the_logit_that_transformers_has() {
    for fixture in FIXTURES {
        let (model, ids) = (load(fixture), ids(fixture));
        let tokens = model.tokenizer().tokens(ids.clone()).unwrap();
        let logits = reference(fixture, "1.logits");
        let last = &logits[logits.len() - model.config().vocab_size..];
        let largest = last.iter().fold(1.0f32, |largest, x| largest.max(x.abs()));
        for (token, other) in [(3, None), (7, Some(200)), (0, Some(0))] {
            let found = contributions(&model, &tokens, token, other, &Interrupt::default()).unwrap();
            let sum: f64 = found.parts.iter().map(|(_, share)| share).sum();
            let expected = last[token as usize] - other.map_or(0.0, |other| last[other as usize]);
            for value in [sum, found.logit, found.by_layer().iter().map(|(_, share)| share).sum()] {
                assert!((value as f32 - expected).abs() <= 1e-4 * largest, "{fixture}: {value}, {expected}");
            }
            let (layers, heads) = (model.config().n_layer, model.config().n_head);
            assert_eq!(found.parts.len(), 2 + layers * (heads + 2) + 1);
        }
    }
}

#[test]
fn the_lens_at_the_last_layer_is_the_prediction_itself() {
    for fixture in FIXTURES {
        let (model, ids) = (load(fixture), ids(fixture));
        let tokens = model.tokenizer().tokens(ids.clone()).unwrap();
        let found = lens(&model, &tokens, &Interrupt::default(), |_| {}).unwrap();
        let size = model.config().vocab_size;
        for (position, logits) in reference(fixture, "1.logits").chunks(size).enumerate() {
            let expected = tokenscope::distribution::Distribution::from_logits(logits).unwrap();
            let last = found.reading(found.layers() as i64 - 1, position as i64).unwrap();
            assert!((last.p - f64::from(expected.p(last.id).unwrap())).abs() < 1e-4);
            assert!((last.entropy - expected.entropy()).abs() < 1e-3);
            assert_eq!((last.final_rank, last.p, last.divergence), (1, last.final_p, 0.0));
            let embedding = found.reading(-1, position as i64).unwrap();
            assert!(embedding.final_rank >= 1 && embedding.divergence >= 0.0);
        }
        let error = |layer, position| found.reading(layer, position).unwrap_err().to_string();
        let layers = model.config().n_layer;
        assert_eq!(error(layers as i64, 0), format!("`layer` is {layers}, but there are {layers}"));
        assert_eq!(error(0, 7), "the index is 7, but there are 7 tokens");
    }
}

#[test]
fn a_head_that_is_not_there_is_refused_with_its_bounds() {
    let model = Model::pocket().unwrap();
    let tokens = model.tokenizer().tokenize("The cat sat on the mat");
    let seen = attention(&model, &tokens, &Interrupt::default()).unwrap();
    let error = seen.head(0, 5).unwrap_err();
    assert_eq!(error.to_string(), "`head` is 5, but there are 5");
    assert_eq!(error.hint().unwrap(), "each head has a number from 0 to 4");
    assert!(seen.head(-1, 0).is_err() && seen.head(8, 0).is_err());
    let pattern = seen.head(7, 4).unwrap();
    for (position, row) in pattern.weights.iter().enumerate() {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        assert!(row[position + 1..].iter().all(|weight| *weight == 0.0));
    }
    let long = model.tokenizer().tokens(vec![5; 513]).unwrap();
    assert!(attention(&model, &long, &Interrupt::default()).is_err());
}

#[test]
fn a_tokens_nearest_neighbour_is_nearer_than_any_other() {
    let model = Model::pocket().unwrap();
    let id = |text: &str| model.tokenizer().tokenize(text).ids()[0];
    let near = neighbours(&model, id(" cat"), 4).unwrap();
    assert_eq!(near.nearest.len(), 4);
    assert!(
        near.nearest.is_sorted_by(|a, b| a.1 >= b.1) && near.nearest.iter().all(|(id, _)| *id != near.token)
    );
    assert_eq!(similarity(&model, near.token, near.nearest[0].0).unwrap(), near.nearest[0].1);
    assert!((similarity(&model, 5, 5).unwrap() - 1.0).abs() < 1e-6);
}

/// Each picture of an analysis can be drawn, at every length up to 60 tokens and beyond.
#[test]
fn every_analysis_draws_itself() {
    let model = Model::pocket().unwrap();
    for length in [1, 2, 60, 90] {
        let tokens = model.tokenizer().tokens((1000..1000 + length).collect::<Vec<_>>()).unwrap();
        let go = &Interrupt::default();
        let seen = attention(&model, &tokens, go).unwrap();
        let look = lens(&model, &tokens, go, |_| {}).unwrap();
        let parts = contributions(&model, &tokens, 5, Some(6), go).unwrap();
        let other = model.tokenizer().tokens((1001..1001 + length).collect::<Vec<_>>()).unwrap();
        let restored = patch(&model, [&tokens, &other], (5, None), Stage::Stream, go, |_| {}).unwrap();
        let causes = attribution(&model, &tokens, 5, Measure::LogProbability, go, |_| {}).unwrap();
        let charts = [
            restored.chart(),
            causes.chart(),
            causes.gradient_chart(),
            seen.chart().unwrap(),
            seen.sink().unwrap(),
            seen.head(0, 0).unwrap().chart(),
            look.chart(Shade::Probability, true),
            look.chart(Shade::Rank, false),
            parts.chart(parts.by_layer()),
            parts.heads(),
            surprisal(&model, &tokens, Start::Bare, None, go).unwrap().chart(),
        ];
        for chart in charts {
            let png = chart.png(1.0).unwrap_or_else(|error| panic!("{}: {error}", chart.title()));
            let mut reader = png::Decoder::new(png.as_slice()).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size()];
            let frame = reader.next_frame(&mut pixels).unwrap();
            let width = frame.width as usize;
            let blank = |pixels: &[u8]| pixels.iter().all(|part| *part == 255);
            for row in pixels[..frame.buffer_size()].chunks(width * 3) {
                assert!(
                    blank(&row[..3 * 20]) && blank(&row[3 * (width - 20)..]),
                    "{} {length}",
                    chart.title()
                );
            }
            assert!(chart.svg().unwrap().trim_end().ends_with("</svg>"));
            assert!(!chart.text(&tokenscope::render::TextStyle::plain(80)).contains('\u{1b}'));
        }
    }
}

#[test]
fn a_report_holds_everything_and_needs_nothing() {
    let (model, go) = (Model::pocket().unwrap(), &Interrupt::default());
    let tokens = model.tokenizer().tokenize("Once upon a <b>time</b> there was");
    let mut heard = 0;
    let page = report(&model, &tokens, go, |n| heard += n).unwrap();
    assert_eq!(heard, 2 * tokens.len());
    let html = page.html();
    for section in
        ["Tokens", "Next tokens", "Surprisal", "Attention", "Logit lens", "Contributions", "Attribution"]
    {
        let at = html.find(&format!("<h2>{section}</h2>")).unwrap_or_else(|| panic!("{section}"));
        let rest = &html[at + 4..];
        let part = &rest[..rest.find("<h2>").unwrap_or(rest.len())];
        assert!(
            part.contains("<p>")
                && (part.contains("<svg") || part.contains("<table") || part.contains("<span"))
        );
    }
    assert!(!html.contains("<b>time") && !html.contains("<script") && !html.contains("src=\"http"));
    let long = model.tokenizer().tokens(vec![5; 129]).unwrap();
    let error = report(&model, &long, go, |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "the text has 129 tokens, but a report holds at most 128");
}

#[test]
fn the_examples_of_what_looks_inside_run_and_hold() {
    let out = tempfile::tempdir().unwrap();
    for binding in registry::bindings()
        .iter()
        .filter(|b| ["surprise", "inside", "parts", "causes", "embeddings"].contains(&b.topic))
    {
        for example in binding.examples() {
            let settings = ScriptSettings {
                model: "pocket".into(),
                backend: Default::default(),
                hub: None,
                out: out.path().to_owned(),
                allowed: Default::default(),
            };
            let mut session = Session::new(settings, Interrupt::default(), Box::new(|_| {}));
            let origin = Origin { name: binding.name.clone(), line: 1 };
            let shown = session
                .eval(example, &origin)
                .unwrap_or_else(|report| panic!("{}", report.text(&TextStyle::unbroken(false))));
            let text = shown.map(|output| output.text(&tokenscope::render::TextStyle::plain(80)));
            assert!(text.as_deref() != Some("false"), "{example}");
        }
    }
}
