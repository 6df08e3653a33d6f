//! Fewer bits: close to the exact answer, said where it is seen, and measured by a command.

use crate::helpers::{fixture, run};

/// Standard output of a run in a folder of its own.
fn shown(arguments: &[&str]) -> String {
    run(tempfile::tempdir().unwrap().path(), arguments).succeeded()
}

/// What `tokenscope precision` prints for f32, bf16 and int8: KL divergence, agreement in %, perplexity, its change in
/// % and the size of the weights in MB.
fn costs(model: &str) -> [[f64; 5]; 3] {
    let text = shown(&["--model", model, "precision"]);
    ["f32", "bf16", "int8"].map(|name| {
        let line =
            text.lines().find(|line| line.contains(&format!(" {name} "))).unwrap_or_else(|| panic!("{text}"));
        let cells = line.split('│').skip(2).map(|cell| cell.trim().trim_end_matches(" %"));
        let numbers: Vec<f64> = cells.filter_map(|cell| cell.parse().ok()).collect();
        numbers.try_into().unwrap_or_else(|_| panic!("{text}"))
    })
}

#[test]
fn what_rounding_costs_is_printed_for_every_precision() {
    let [exact, half, byte] = costs(fixture("default").to_str().unwrap());
    assert_eq!(exact[..2], [0.0, 100.0]);
    for rounded in [half, byte] {
        assert!(rounded[0] > 0.0 && rounded[0] < 0.01, "{rounded:?}");
        assert!(rounded[1] > 95.0 && (rounded[2] / exact[2] - 1.0).abs() < 0.01, "{rounded:?}");
    }
    // At a width of 32, the numbers of an output fill half of the bytes that are kept for them.
    assert!(half[4] < 0.52 * exact[4] && byte[4] < 0.5 * exact[4], "{half:?} {byte:?}");
}

#[test]
fn the_built_in_model_is_made_of_int8_so_that_rounding_to_it_costs_next_to_nothing() {
    let [exact, half, byte] = costs("pocket");
    assert!((35.0..45.0).contains(&exact[2]), "{exact:?}");
    // The same numbers, by instructions for which x is rounded a little.
    assert!(byte[0] < 1e-6 && byte[1] > 99.9 && byte[4] == exact[4], "{byte:?} {exact:?}");
    assert!((byte[2] / exact[2] - 1.0).abs() < 0.001, "{byte:?} {exact:?}");
    assert!(half[0] > 0.0 && half[0] < 0.01 && half[1] > 95.0, "{half:?}");
    assert!((half[2] / exact[2] - 1.0).abs() < 0.01 && half[4] > 1.6 * exact[4], "{half:?}");
}

#[test]
fn a_rounded_model_says_so() {
    for precision in ["f32", "bf16", "int8"] {
        let said = shown(&["--precision", precision, "eval", "print(model().precision)"]);
        assert_eq!(said, format!("{precision}\n"));
    }
    assert_eq!(shown(&["eval", "print(model().precision)"]), "f32\n");
}

#[test]
fn every_bit_is_the_same_whatever_the_number_of_threads() {
    let code = "print(json(logits(\"The old man looked at the sea and said nothing for a long while.\")))";
    for precision in ["f32", "bf16", "int8"] {
        let with = |threads| shown(&["--precision", precision, "--threads", threads, "eval", code]);
        assert_eq!(with("1"), with("3"), "{precision}");
    }
}
