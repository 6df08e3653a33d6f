//! Fewer bits: close to the exact answer, said where it is seen, and measured by a command.

use crate::helpers::run;

/// Standard output of a run in a folder of its own.
fn shown(arguments: &[&str]) -> String {
    run(tempfile::tempdir().unwrap().path(), arguments).succeeded()
}

#[test]
fn what_rounding_costs_is_printed_for_every_precision() {
    let text = shown(&["precision"]);
    let row = |name: &str| -> Vec<f64> {
        let line =
            text.lines().find(|line| line.contains(&format!(" {name} "))).unwrap_or_else(|| panic!("{text}"));
        let cells = line.split('│').skip(2).map(|cell| cell.trim().trim_end_matches(" %"));
        cells.filter_map(|cell| cell.parse().ok()).collect()
    };
    let (exact, half, byte) = (row("f32"), row("bf16"), row("int8"));
    let [divergence, agreement, perplexity, _, size] = exact[..] else { panic!("{text}") };
    assert_eq!((divergence, agreement), (0.0, 100.0));
    assert!((20.0..200.0).contains(&perplexity), "{text}");
    assert!(half[0] > 0.0 && half[0] < 0.01, "{text}");
    assert!(half[1] > 95.0 && (half[2] / perplexity - 1.0).abs() < 0.01, "{text}");
    // The built-in model is made of int8 and scales: nothing is lost, and nothing is smaller.
    assert_eq!(byte[..3], [0.0, 100.0, perplexity], "{text}");
    assert!(byte[4] == size && half[4] > 1.9 * size, "{text}");
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
