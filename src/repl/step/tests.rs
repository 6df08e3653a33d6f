use super::super::view;
use super::*;
use crate::distribution::Distribution;
use crate::tokenizer::Tokenizer;

/// What a made-up model says after a text: the ids of its length and the four behind it, each half as likely as the
/// one before.
fn read(tokens: &Tokens) -> Result<NextToken> {
    let mut logits = vec![-60.0; tokens.tokenizer().vocabulary_size()];
    for rank in 0..5 {
        logits[257 + tokens.len() + rank] = -(rank as f32) * std::f32::consts::LN_2;
    }
    let distribution = Distribution::from_logits(logits)?;
    let tokenizer = Some(tokens.tokenizer().clone());
    Ok(NextToken { distribution, tokenizer, text: tokens.text(), rules: Vec::new() })
}

fn stepping(text: &str) -> Stepping<'static> {
    let text = Tokenizer::gpt2().tokenize(text);
    Stepping::new(Stepper::new(text, SamplingOptions::default(), read).unwrap(), read).unwrap()
}

/// Presses keys: `↑ ↓ ← ⏎ ⎋ ⌫` stand for themselves.
fn press(stepping: &mut Stepping, keys: &str) -> Flow {
    let mut flow = Flow::Stay;
    for key in keys.chars() {
        let code = match key {
            '↑' => KeyCode::Up,
            '↓' => KeyCode::Down,
            '←' => KeyCode::Left,
            '⏎' => KeyCode::Enter,
            '⎋' => KeyCode::Esc,
            '⌫' => KeyCode::Backspace,
            character => KeyCode::Char(character),
        };
        flow = stepping.press(KeyEvent::new(code, KeyModifiers::NONE));
    }
    flow
}

#[test]
fn arrows_choose_enter_appends_and_u_takes_back() {
    let mut stepping = stepping("Once upon a");
    press(&mut stepping, "↓↓↑⏎⏎");
    assert_eq!(stepping.stepper.appended(), [261, 261]);
    press(&mut stepping, "u");
    assert_eq!(stepping.stepper.appended(), [261]);
    press(&mut stepping, "uu");
    assert_eq!(stepping.message.as_deref(), Some("there is no step to take back"));
    assert_eq!(press(&mut stepping, "q"), Flow::Leave);
}

#[test]
fn a_rule_answers_while_it_is_typed_and_escape_takes_it_back() {
    let mut stepping = stepping("Once upon a");
    let raw: Vec<f32> = stepping.candidates.iter().take(2).map(|candidate| candidate.p).collect();
    assert!((raw[0] / raw[1] - 2.0).abs() < 1e-3);
    press(&mut stepping, "t0.5");
    // The ratio is squared: the answer is there before Enter, from the same logits.
    let sharper: Vec<f32> = stepping.candidates.iter().take(2).map(|candidate| candidate.p).collect();
    assert!((sharper[0] / sharper[1] - 4.0).abs() < 1e-3);
    press(&mut stepping, "⎋");
    assert!((stepping.candidates[0].p - raw[0]).abs() < 1e-6);
    press(&mut stepping, "k3⏎");
    assert_eq!((stepping.candidates.len(), stepping.stepper.options().top_k), (3, Some(3)));
    press(&mut stepping, "k⌫⏎");
    assert_eq!(stepping.stepper.options().top_k, None);
}

#[test]
fn what_a_rule_cannot_be_is_told_and_stays_to_be_mended() {
    let mut stepping = stepping("Once upon a");
    press(&mut stepping, "p1.5⏎");
    assert!(
        stepping.message.as_deref().unwrap().starts_with("`top_p` is 1.5, but must be above 0 and at most 1")
    );
    assert!(matches!(&stepping.mode, Mode::Typing(entry) if entry.text == "1.5"));
    press(&mut stepping, "⌫⌫⌫0.9⏎");
    assert_eq!((stepping.stepper.options().top_p, &stepping.mode), (Some(0.9), &Mode::Choosing));
    press(&mut stepping, "k999999");
    assert!(stepping.message.as_deref().unwrap().contains("the size of the vocabulary"));
    press(&mut stepping, "⎋");
    assert_eq!(stepping.stepper.options().top_k, None);
}

#[test]
fn arrows_turn_a_rule() {
    let mut stepping = stepping("Once upon a");
    press(&mut stepping, "t↓↓⏎k↓⏎p↓↓↑↑⏎");
    let options = stepping.stepper.options();
    assert_eq!((options.temperature, options.top_k, options.top_p), (Some(0.8), Some(500), None));
}

#[test]
fn typed_text_is_appended_and_letters_are_no_commands_in_it() {
    let mut stepping = stepping("Once upon a");
    press(&mut stepping, " quiet king⏎");
    assert_eq!(stepping.stepper.text(), "Once upon a quiet king");
    assert_eq!(stepping.stepper.appended().len(), 2);
    stepping.paste(" and a\r\nqueen");
    press(&mut stepping, "⏎");
    assert_eq!(stepping.stepper.text(), "Once upon a quiet king and a\nqueen");
}

#[test]
fn places_are_marked_and_gone_back_to() {
    let mut stepping = stepping("Once upon a");
    press(&mut stepping, "⏎b⏎⏎⏎");
    assert_eq!(stepping.stepper.appended().len(), 3);
    press(&mut stepping, "bthe end⌫⏎g↑⏎");
    assert_eq!(stepping.stepper.appended().len(), 1);
    press(&mut stepping, "g⏎");
    assert_eq!(stepping.stepper.appended().len(), 3);
    assert_eq!(stepping.stepper.names().collect::<Vec<_>>(), ["place 1", "the en"]);
}

#[test]
fn what_is_offered_is_taken_by_enter_and_replaced_by_typing() {
    let mut stepping = stepping("Once upon a");
    let line = |stepping: &Stepping| view::lines(stepping, (90, 16), false).pop().unwrap();
    press(&mut stepping, "b");
    assert!(line(&stepping).contains("mark this place as: ▏place 1 "), "{}", line(&stepping));
    press(&mut stepping, "ab");
    assert!(line(&stepping).contains("mark this place as: ab▏"), "{}", line(&stepping));
    press(&mut stepping, "⎋b⌫");
    assert!(line(&stepping).contains("mark this place as: ▏ "), "{}", line(&stepping));
    // A rule's value, too, also one that arrows turned to.
    press(&mut stepping, "⎋t0.5⏎t0.7⏎");
    assert_eq!(stepping.stepper.options().temperature, Some(0.7));
    press(&mut stepping, "t↑2⏎");
    assert_eq!(stepping.stepper.options().temperature, Some(2.0));
    press(&mut stepping, "b⏎");
    assert_eq!(stepping.stepper.names().collect::<Vec<_>>(), ["place 1"]);
}

#[test]
fn a_draw_appends_what_can_come() {
    let mut stepping = stepping("Once upon a");
    press(&mut stepping, "k2⏎s");
    assert!([260, 261].contains(&stepping.stepper.appended()[0]));
}

#[test]
fn every_size_of_screen_holds_what_is_drawn() {
    use unicode_width::UnicodeWidthStr;
    let mut stepping = stepping("Once upon a time 🙂 there\nwas 中文 \u{7}");
    press(&mut stepping, "t0.7⏎⏎⏎");
    for keys in ["", "k5", "⎋?", "⎋ a typed text that is rather long for a narrow screen", "⎋g", "uuuu"]
    {
        press(&mut stepping, keys);
        for width in [1, 5, 12, 20, 38, 60, 80, 200] {
            for height in [1, 2, 5, 12, 24, 50] {
                let lines = view::lines(&stepping, (width, height), false);
                assert!(lines.len() <= height, "{width} × {height}: {lines:?}");
                assert!(lines.iter().all(|line| line.width() <= width), "{width} × {height}: {lines:?}");
            }
        }
    }
}

#[test]
fn parts_of_words_and_of_characters_are_marked() {
    let mut stepping = stepping("Udacity");
    let text = view::lines(&stepping, (90, 16), false).join("\n");
    assert!(text.contains("goes on: Udacity"), "{text}");
    press(&mut stepping, "t0.5⏎");
    let text = view::lines(&stepping, (90, 16), false).join("\n");
    assert!(
        text.contains("processed") && text.contains("raw p") && text.contains("temperature 0.5"),
        "{text}"
    );
    assert!(!text.contains('\x1b'));
    assert!(view::lines(&stepping, (90, 16), true).join("\n").contains('\x1b'));
}

#[test]
fn what_was_done_is_a_script_that_does_it_again() {
    let mut stepping = stepping("Once upon a");
    assert_eq!(stepping.script("\"Once\""), "stepper(\"Once\")");
    press(&mut stepping, "⏎b\"⏎ut2⏎⏎");
    let script = stepping.script("");
    let lines: Vec<&str> = script.lines().map(|line| line.split(" //").next().unwrap().trim()).collect();
    let expected = [
        "{",
        "let hand = stepper(_, #{ temperature: 2 });",
        "hand.append(260);",
        "hand.branch(\"\\\"\");",
        "hand.undo();",
        "hand.append(260);",
        "hand",
        "}",
    ];
    assert_eq!(lines, expected);
}
