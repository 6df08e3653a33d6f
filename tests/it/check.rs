//! Holding a model against published values: on values that a fixture gave itself, and, where its weights are at
//! hand, on the real GPT-2.

use serde_json::{Value, json};
use tokenscope::check::{Comparison, Record, Verdict, compare};
use tokenscope::distribution::Distribution;
use tokenscope::error::Error;
use tokenscope::interrupt::Interrupt;
use tokenscope::model::Model;

use super::helpers::{finish, fixture, load, program, run};

const PROMPT: &str = "The river turned";

fn distribution(model: &Model, ids: &[u32]) -> Distribution {
    let rows = model.logits(ids, &Interrupt::default()).unwrap();
    Distribution::from_logits(rows.last().unwrap().clone()).unwrap()
}

/// One record of each kind that can be compared, with what the model itself answers.
fn records(model: &Model) -> Vec<Value> {
    let ids = model.tokenizer().tokenize(PROMPT).ids().to_vec();
    let rows = model.logits(&ids, &Interrupt::default()).unwrap();
    let next = distribution(model, &ids);
    let loss = |ids: &[u32]| {
        let nll = |end: usize| -f64::from(distribution(model, &ids[..end]).p(ids[end]).unwrap()).ln();
        (1..ids.len()).map(nll).sum::<f64>() / (ids.len() - 1) as f64
    };
    let mut grown = ids.clone();
    let mut scores = Vec::new();
    for _ in 0..4 {
        let next = distribution(model, &grown);
        let (id, p) = next.top(1)[0];
        scores.push(json!({ "id": id, "logprob": f64::from(p).ln(), "p": p }));
        grown.push(id);
    }
    let text = model.tokenizer().tokens(grown.clone()).unwrap().text();
    let top: Vec<Value> = next.top(5).iter().map(|(id, p)| json!({ "id": id, "p": p })).collect();
    let with_logits: Vec<Value> = next
        .top(3)
        .iter()
        .map(|(id, p)| json!({ "id": id, "p": p, "logit": next.logits()[*id as usize] }))
        .collect();
    let config = model.config();
    let embedding = &model.gpt2().token_embedding(ids[0])[..4];
    let record = |kind: &str, params: Value, expected: Value| {
        let mut params = params;
        params["model"] = "fixture".into();
        json!({ "source": "itself", "kind": kind, "prompt": PROMPT, "params": params, "expected": expected,
            "confidence": "high" })
    };
    vec![
        record("next_token_probs", json!({}), json!({ "argmax": next.argmax(), "top5": top })),
        record("next_token_logits", json!({ "input_ids": ids }), json!({ "top10": with_logits })),
        record(
            "logits",
            json!({}),
            json!({
                "argmax": next.argmax(), "logit": next.logits()[next.argmax() as usize],
                "pos0_logits_0_2": rows[0][..3], "pos1": { "7": rows[1][7] },
            }),
        ),
        record("greedy_ids", json!({ "max_length": grown.len() }), json!({ "ids": grown })),
        record("greedy_text", json!({ "max_new_tokens": 4 }), json!({ "text": text })),
        record("token_scores", json!({}), json!({ "tokens": scores })),
        record("loss", json!({ "input_ids": ids }), json!({ "mean_nll": loss(&ids) })),
        record(
            "perplexity",
            json!({ "ids": [ids, ids[1..]] }),
            json!({ "mean_perplexity": (loss(&ids).exp() + loss(&ids[1..]).exp()) / 2.0 }),
        ),
        record("weights", json!({}), json!({ format!("wte_row_{}_first4", ids[0]): embedding })),
        record(
            "config",
            json!({}),
            json!({ "n_layer": config.n_layer, "n_params_tied": config.parameters() }),
        ),
    ]
}

fn compared(model: &Model, records: &[Value]) -> Comparison {
    let records: Vec<Record> = serde_json::from_value(records.into()).unwrap();
    compare(model, "fixture", &records, &Interrupt::default(), |_| {}).unwrap()
}

#[test]
fn a_model_agrees_with_what_it_answers_itself() {
    let model = load(&fixture("default")).unwrap();
    let records = records(&model);
    let comparison = compared(&model, &records);
    for fact in &comparison.facts {
        assert_eq!(fact.verdict, Verdict::Agrees, "{fact:?}");
    }
    assert!(comparison.facts.len() > records.len() && comparison.skipped.is_empty());
    assert!(comparison.verdict().is_ok());
    let all = comparison.facts.len();
    assert_eq!(comparison.summary(), format!("{all} of {all} facts agree; 0 records were not compared"));
}

#[test]
fn each_kind_of_difference_is_noticed() {
    let model = load(&fixture("default")).unwrap();
    let other = load(&fixture("odd")).unwrap();
    for record in records(&model) {
        let comparison = compared(&other, std::slice::from_ref(&record));
        let rough = record["kind"] == "next_token_logits";
        let expected = if rough { Verdict::Doubtful } else { Verdict::Differs };
        let verdicts: Vec<Verdict> = comparison.facts.iter().map(|fact| fact.verdict).collect();
        // Both fixtures have three layers, and their likeliest tokens may be the same by chance.
        assert!(verdicts.contains(&expected), "{}: {:?}", record["kind"], comparison.facts);
        assert_eq!(comparison.verdict().is_err(), !rough);
    }
}

#[test]
fn a_difference_is_shown_with_both_values() {
    let model = load(&fixture("default")).unwrap();
    let mut records = records(&model);
    let p = records[0]["expected"]["top5"][2]["p"].as_f64().unwrap();
    records[0]["expected"]["top5"][2]["p"] = (p + 1e-3).into();
    records[0]["tolerance"] = json!({ "p_abs": 2e-5 });
    let comparison = compared(&model, &records[..1]);
    let fact = &comparison.facts[1];
    assert_eq!(fact.verdict, Verdict::Differs);
    assert_eq!(fact.fact, format!("p of 5 after “{PROMPT}”"));
    assert!(fact.expected.ends_with(&format!("{:.6}", p + 1e-3)) && fact.got.ends_with(&format!("{p:.6}")));
    let error = comparison.verdict().unwrap_err();
    assert_eq!(error.to_string(), "1 of 2 facts differ from what was published");
    // The same difference from a value that is not sure is told, but fails nothing.
    records[0]["confidence"] = "medium: deduced".into();
    let comparison = compared(&model, &records[..1]);
    assert_eq!(comparison.facts[1].verdict, Verdict::Doubtful);
    assert!(comparison.verdict().is_ok());
}

#[test]
fn what_cannot_be_compared_is_listed_with_its_reason() {
    let model = load(&fixture("default")).unwrap();
    let mut records = records(&model);
    records.truncate(5);
    records[0]["params"]["model"] = "another".into();
    records[1]["kind"] = "beam_text".into();
    records[2]["kind"] = "attention".into();
    records[3]["params"]["repetition_penalty"] = 1.1.into();
    records[4]["params"]["do_sample"] = true.into();
    let comparison = compared(&model, &records);
    assert!(comparison.facts.is_empty());
    let reasons: Vec<&str> = comparison.skipped.iter().map(|skipped| skipped.reason.as_str()).collect();
    let expected = [
        "about another model",
        "needs beam search",
        "needs attention patterns",
        "was made with `repetition_penalty`",
        "depends on another program's random numbers",
    ];
    assert_eq!(reasons, expected);
    assert_eq!(comparison.skipped_table().rows.len(), 5);
}

#[test]
fn a_question_beyond_the_model_is_a_difference_not_a_crash() {
    let model = load(&fixture("default")).unwrap();
    let mut records = records(&model);
    records[0]["params"]["input_ids"] = json!([1, 2, 50000]);
    let comparison = compared(&model, &records[..1]);
    assert_eq!(comparison.facts[0].got, "id 50000 is outside the vocabulary of 331 tokens");
    assert!(comparison.verdict().is_err());
}

#[test]
fn a_comparison_can_be_interrupted() {
    let model = load(&fixture("default")).unwrap();
    let records: Vec<Record> = serde_json::from_value(records(&model).into()).unwrap();
    let interrupt = Interrupt::default();
    interrupt.request();
    let result = compare(&model, "fixture", &records, &interrupt, |_| {});
    assert!(matches!(result, Err(Error::Interrupted)));
}

#[test]
fn of_another_model_nothing_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let error = run(folder.path(), &["check"]).failed(2);
    assert!(
        error.starts_with("error: nothing that was published can be compared with `pocket` ("),
        "{error}"
    );
    assert!(error.contains("hint: ") && error.contains("--model gpt2"), "{error}");
}

/// Needs the real weights: `TOKENSCOPE_GPT2` names a folder with them.
#[test]
fn the_real_gpt2_answers_as_published() {
    let Some(weights) = std::env::var_os("TOKENSCOPE_GPT2") else {
        eprintln!("skipped: set TOKENSCOPE_GPT2 to a folder with the real gpt2 to compare it");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let ran = finish(program(folder.path()).arg("check").arg("--model").arg(weights));
    println!("{}", ran.stdout);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}
