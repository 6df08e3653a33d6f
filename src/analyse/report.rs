//! What is there to see in a text, all on one page?

use super::attention::attention;
use super::attribution::attribution;
use super::contributions::contributions;
use super::lens::{Shade, lens};
use super::measure::Measure;
use super::next_token::{NextToken, end_of};
use super::surprisal::{Start, surprisal};
use super::tokenization;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::render::page::{Page, Section};
use crate::render::{Output, label};
use crate::tokenizer::Tokens;

/// Longer texts have pictures that nobody can read.
pub const LONGEST: usize = 128;

/// Rows of a list of tokens.
const ROWS: usize = 10;

/// Looks at a text in every way. `advance` hears of each token, twice. Fails if the text is empty, or longer than the
/// model's context or 128 tokens.
pub fn report(
    model: &Model,
    tokens: &Tokens,
    interrupt: &Interrupt,
    mut advance: impl FnMut(usize),
) -> Result<Page> {
    if tokens.len() > LONGEST {
        return Err(Error::ReportTooLong { tokens: tokens.len(), limit: LONGEST });
    }
    model.check_prompt(tokens.ids())?;
    let next = NextToken::after(model, tokens, &mut (), interrupt)?;
    let best = next.candidates(2);
    let token = best[0].id;
    let name = |id: u32| label(&model.tokenizer().piece(id));
    let surprise = surprisal(model, tokens, Start::Bare, None, interrupt)?;
    let seen = attention(model, tokens, interrupt)?;
    let look = lens(model, tokens, interrupt, &mut advance)?;
    let parts = contributions(model, tokens, token, best.get(1).map(|second| second.id), interrupt)?;
    let causes = attribution(model, tokens, token, Measure::Probability, interrupt, advance)?;
    let sections = vec![
        section(
            "Tokens",
            "What the model reads is not letters or words but these pieces, each with its number. The shades only tell \
             one from the next; in the table `·` is a space, `↵` the end of a line.",
            [
                Output::ShadedText(tokenization::pieces(tokens)),
                Output::Table(tokenization::table(tokens, interrupt)?),
            ],
        ),
        section(
            "Next tokens",
            "After the last token the model gives every token of its vocabulary a probability; the longest bar is what \
             it expects most.",
            [next.chart(ROWS).into()],
        ),
        section(
            "Surprisal",
            "The darker a token, the less the model expected it. One bit is the surprise of a coin's toss; each further \
             bit is half as likely. Point at a token for its numbers. The first one is read but not predicted.",
            [Output::ShadedText(surprise.shaded())],
        ),
        section(
            "Attention",
            "Each small square is one head: a row is a token that looks, its columns are what it looks at, the brighter \
             the more. A bright left edge is attention parked on the first token; a bright diagonal, a look at itself. \
             It shows where a head looked, not what that was good for. The table has the means over all heads.",
            [seen.chart()?.into(), Output::Table(seen.most()?)],
        ),
        section(
            "Logit lens",
            "What the model would say after each layer, if it stopped there. Follow a row from left to right: where \
             does the guess become the one that stays?",
            [look.chart(Shade::Probability, false).into(), Output::Table(look.table(-1)?)],
        ),
        section(
            "Contributions",
            &match best.get(1) {
                Some(second) => format!(
                    "Which parts of the model put `{}` ahead of `{}`: bars to the right are for it, bars to the left \
                     against. Together they are the difference of the two logits.",
                    name(token),
                    name(second.id)
                ),
                None => format!("Which parts of the model make the logit of `{}`.", name(token)),
            },
            [parts.chart(parts.by_layer()).into(), parts.heads().into()],
        ),
        section(
            "Attribution",
            &format!(
                "Which tokens the prediction of `{}` rests on: how much of its probability is lost when the model \
                 reads the text without each.",
                name(token)
            ),
            [causes.chart().into(), Output::Table(causes.table())],
        ),
    ];
    Ok(Page { title: format!("“{}” through {}", end_of(&tokens.text()), model.name()), sections })
}

fn section(title: &str, prose: &str, outputs: impl IntoIterator<Item = Output>) -> Section {
    Section { title: title.to_owned(), prose: prose.to_owned(), outputs: outputs.into_iter().collect() }
}
