//! What to do about each error.

use std::path::Path;

use super::{Error, code_list};
use crate::suggest::did_you_mean;

impl Error {
    /// What to do about it, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::IdOutsideVocabulary { size, .. } => format!("ids run from 0 to {}", size - 1),
            Error::IndexOutOfRange { .. } => {
                "positions count from 0, or from the end: -1 is the last".to_owned()
            }
            Error::NothingPredicted { .. } => {
                "with `#{ start: true }` the text is read after `<|endoftext|>`".to_owned()
            }
            Error::NoSuchPart { what, count, .. } => {
                format!("each {what} has a number from 0 to {}", count.saturating_sub(1))
            }
            Error::NotOneToken { .. } => {
                "most words are one token only with the space before them; `tokenize` shows how it splits"
                    .to_owned()
            }
            Error::NoSuchHelp { name, known } => did_you_mean(name, known.iter().map(String::as_str))
                .unwrap_or_else(|| "`help()` lists what there is".to_owned()),
            Error::UnknownCommand { name, known } => did_you_mean(name, known.iter().copied())
                .map_or("`:help` lists the commands".to_owned(), |near| near.replacen('`', "`:", 1)),
            Error::BadCommand { command, .. } => format!("`:help {command}` says how it is used"),
            Error::EmptyPrompt => "`\"<|endoftext|>\"` stands for the start of a text".to_owned(),
            Error::PromptTooLong { limit, .. } | Error::ReportTooLong { limit, .. } => {
                format!("`tokenize(text).slice(-{limit})` keeps the last {limit}")
            }
            Error::UnequalLengths { .. } => {
                "replace words by others of as many tokens; `tokenize` shows how a text splits".to_owned()
            }
            Error::UnequalVocabularies { .. } => {
                "only models with the same tokenizer can be compared token by token".to_owned()
            }
            Error::BadLogit { .. } => {
                "the model's weights may be damaged: delete its files and fetch them again".to_owned()
            }
            Error::UnknownOption { name, known } => {
                let all = format!("the options are {}", code_list(known));
                did_you_mean(name, known.iter().copied()).map_or(all.clone(), |near| format!("{near} {all}"))
            }
            Error::OptionOutOfRange { name: "temperature", .. } => {
                "near 0 only the likeliest token is left: without sampling options it is always taken"
                    .to_owned()
            }
            Error::OptionOutOfRange { name: "top_p", .. } => {
                "1 keeps every token; 0.9 keeps the likeliest tokens that make up 90 %".to_owned()
            }
            Error::WrongArgument { function: "+", .. } => {
                "`tokens.text + \"…\"` is a longer text, `tokens + tokenize(\"…\")` longer tokens".to_owned()
            }
            Error::OptionNeedsOther { name, other } => format!("add `{other}`, or leave `{name}` out"),
            Error::OptionsClash { name, other, .. } => format!("leave `{name}` or `{other}` out"),
            Error::WrongFormat { formats, .. } => format!("the name may end in {formats}"),
            Error::OutsideOutputFolder { .. } => {
                "give a plain file name; `--out DIR` chooses the folder, `--allow-write DIR` adds others".to_owned()
            }
            Error::NotAllowedToRead { path } => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new(".")).display();
                format!("start with `--allow-read {folder}` if scripts may read what is there")
            }
            Error::NotAllowedToLoad { path } => {
                let path = path.display();
                format!("start with `--allow-read {path}` or `--model {path}`; in the REPL, `:model {path}` loads it")
            }
            Error::BrokenSettings { hint, .. } => return hint.clone(),
            Error::FileTooLarge { .. } => "a part of it says as much".to_owned(),
            Error::TooMuchMemory { .. } => {
                "let go of what is not needed: `x = ()`, or `:reset` for all; `--max-memory GB` allows more".to_owned()
            }
            Error::DeviceNotBuiltIn { device } => format!(
                "`cargo install tokenscope --features {device}` builds it with that; `--device cpu` works everywhere"
            ),
            Error::NoSuchDevice { .. } => "`--device cpu` works everywhere".to_owned(),
            Error::NoRoomForWeights { .. } => {
                "close other programs or take a smaller model; in f32 the weights are used where a safetensors file has them"
                    .to_owned()
            }
            Error::Int8OnDevice { .. } => "`--precision bf16` is the smallest there".to_owned(),
            Error::ForeignTokenizer { .. } => "are both from the same model?".to_owned(),
            Error::BrokenTokenizer { .. } => {
                "fetch the file again; a GPT-2 tokenizer is `tokenizer.json`, or `vocab.json` with `merges.txt`"
                    .to_owned()
            }
            Error::BrokenConfig { .. } => {
                "it must be the `config.json` of a GPT-2 model: correct the value, or fetch the file again".to_owned()
            }
            Error::UnsupportedDtype { .. } => {
                "in Python, `from_pretrained(…).float().save_pretrained(folder)` writes F32".to_owned()
            }
            Error::BrokenWeights { .. } => {
                "the file may be incomplete: delete it and fetch it again".to_owned()
            }
            Error::MissingTensor { .. } | Error::WrongShape { .. } => {
                "`config.json` and the weights must belong to the same GPT-2 model".to_owned()
            }
            Error::UnknownModel { suggestion, .. } => match suggestion {
                Some(suggestion) => {
                    format!("{suggestion} `tokenscope models` lists the names; a folder works too")
                }
                None => "`tokenscope models` lists the names; a folder or `owner/name` works too".into(),
            },
            Error::BadModelName { .. } => {
                "a model is a known name, `owner/name`, either with `@revision`, or a folder".into()
            }
            Error::NoSuchFile { .. } => "a name that ends in `.gguf` is the path of such a file".into(),
            Error::NoSuchFolder { .. } => {
                "the folder must hold `config.json`, `model.safetensors` and `tokenizer.json`".into()
            }
            Error::MissingModelFile { .. } => {
                "a model is `config.json`, weights as safetensors, and `tokenizer.json` \
                 or `vocab.json` with `merges.txt`"
                    .into()
            }
            Error::OnlyPytorchWeights { .. } => {
                "in Python, `from_pretrained(…).save_pretrained(folder)` writes safetensors; \
                 then name that folder"
                    .into()
            }
            Error::NotGpt2 { .. } => "`tokenscope models` lists some that can".into(),
            Error::BadSetting { variable, .. } => format!("correct or unset `{variable}`"),
            Error::NotCached { .. } => {
                "unset `HF_HUB_OFFLINE` to download it once; `pocket` is built in and needs no network".into()
            }
            Error::NotOnHub { with_token: false, .. } => {
                "check the name; if the model is private, set `HF_TOKEN`".into()
            }
            Error::NotOnHub { with_token: true, .. } => {
                "check the name, and that your token may see the model if it is private".into()
            }
            Error::Refused { with_token: false, .. } => {
                "the name may be wrong, or the model private or gated: for those set `HF_TOKEN`".into()
            }
            Error::Refused { endpoint, repository, with_token: true, .. } => {
                format!("check `HF_TOKEN`; a gated model's terms are accepted at {endpoint}/{repository}")
            }
            Error::ServerTrouble { status: 429, .. } => {
                "the server limits how often it is asked: wait some minutes and try again".into()
            }
            Error::ServerTrouble { status: 500.., .. } => {
                "the trouble is the server's: try again later".into()
            }
            Error::Unreachable { .. } => "is there a connection? `pocket` is built in and needs none".into(),
            Error::Cut { .. } | Error::Stalled { .. } => {
                "try again: the download continues where it stopped".into()
            }
            Error::Damaged { .. } => "fetch the file again: a damaged download is not kept".into(),
            Error::NotAHub { .. } => "check `HF_ENDPOINT`; a login page may also be in the way".into(),
            Error::ChangedMeanwhile { .. } => "try again to get the new version".into(),
            Error::NothingPublished { .. } => {
                "the outputs of `gpt2` and `distilgpt2` are known: `tokenscope check --model gpt2`, or name a folder \
                 that holds them"
                    .into()
            }
            Error::PublishedDiffers { .. } => {
                "are these the published weights? a model that was trained further answers otherwise".into()
            }
            Error::WouldOverwrite { .. } => "name another folder with `--out DIR`".into(),
            Error::NotInPlace { .. } => "`tokenscope export FILE --to ipynb` makes one of a script".into(),
            Error::CannotAsk { .. } => {
                "run it where somebody can type: the REPL, `tokenscope run` in a terminal, or a notebook".into()
            }
            Error::BadKernelName { .. } => "use letters, digits, `.`, `_` and `-`".into(),
            Error::ForeignKernel { .. } => "choose another name with `--name NAME`".into(),
            Error::NoSuchKernel { .. } => "`jupyter kernelspec list` shows which there are, and where".into(),
            Error::NoEnvironment => {
                "activate one, or say where with `--prefix DIR`; `--user` installs for you alone".into()
            }
            Error::ChartEmpty { .. } => "give it one bar for each token to show".into(),
            Error::ChartCrowded { limit, .. } => {
                format!("show only the likeliest, at most {limit}; a table holds any number")
            }
            Error::ChartValue { .. } => "a bar shows a probability: 0.25 is 25 %".into(),
            Error::HeatMapSize { .. } => "`tokenize(text).slice(0, 60)` is a part of a text".into(),
            Error::ChartScale { .. } => "1 is 800 pixels wide, 2 is 1600".into(),
            _ => return None,
        };
        Some(hint)
    }
}
