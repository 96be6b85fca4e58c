// Every word of the page, in two languages. Sentences with names of classes are lists of their parts, names among them.

const TEXTS = {
  en: {
    skip: "Skip to the content",
    language: "Language",
    sections: "Sections",
    pictures: "Pictures",
    runs: "Trainings",
    invite: "Drop pictures here, paste one, or",
    choose: "Choose pictures",
    photograph: "Take a photo",
    shoot: "Take it",
    cancel: "Cancel",
    working: "Working",
    go: "Go on",
    token: "Token",
    tokenTitle: "This server asks for a token",
    tokenWrong: "That is not the token.",
    model: (name, count) => `Model ${name}, ${count} classes`,
    knows: (names, more) => ["It knows: ", ...listed(names), `${more ? ` and ${more} more` : ""}.`],
    accepted: (mib) => `JPEG, PNG, WebP, GIF, BMP, TIFF; up to ${mib} MiB. Pictures are not kept.`,
    acceptedHere: (mib) => `Whatever this browser shows, up to ${mib} MiB. Pictures do not leave this computer.`,
    preparing: (mib) => `Loading the network (${mib} MiB) …`,
    busy: (done, total) => `Looking: ${done} of ${total}`,
    verdict: (label, share) => [label, `, ${share}`],
    unsure: "It is not sure: no class reaches one half.",
    unlike: "This is unlike anything the network was trained on: do not rely on the answer.",
    someUnlike: (count) =>
      `Pictures unlike anything the network was trained on: ${count}. They are marked; do not rely on these answers.`,
    unfamiliar: "unfamiliar",
    best: "The likeliest classes",
    original: (width, height) => `Your picture, ${width} × ${height}`,
    seen: (width, height) => `What the network saw, ${width} × ${height}`,
    looked: (label) => ["Where it found “", label, "”"],
    similar: "The most similar pictures it was trained on",
    several: (count, failed) => `${count} pictures, ${failed ? `${failed} could not be read` : "all read"}`,
    download: "Download as CSV",
    list: "Answers for all pictures",
    picture: "Picture",
    name: "Name",
    answer: "Answer",
    probability: "Probability",
    runnerUp: "Second",
    look: (name) => `Show ${name} in detail`,
    details: "Details",
    noPicture: "There is no picture in what was pasted or dropped.",
    tooLarge: (mib) => `is larger than ${mib} MiB`,
    noServer: "The server does not answer. Is it still running?",
    noModel: "The network could not be loaded. Reload the page to try again.",
    broken: "The network failed on this picture; this device may have too little memory.",
    busyServer: "The server has too much to do; try again in a moment.",
    noCamera: "The camera cannot be used. Choose a picture instead.",
    run: "Training",
    recipe: "Recipe",
    network: "Network",
    dataset: "Data",
    validation: "Validation",
    lossOf: (value) => `loss ${value}`,
    test: "Test",
    begun: "Begun",
    seconds: "Seconds",
    parameters: "Parameters",
    unfinished: "not finished",
    ended: "ended early",
    loadingRuns: "Reading the trainings …",
    noRuns: "There is no training here yet. Begin with: retinula train",
    chooseRuns: "Choose one training, or two to compare.",
    chooseRun: (name) => `Choose ${name}`,
    results: "Results",
    differing: "Settings that differ",
    settings: (count) => `Settings (${count})`,
    same: (count) => `Settings that are the same (${count})`,
    report: "Open the report",
    lossChart: "Loss by epoch",
    accuracyChart: "Accuracy by epoch",
    training: "training",
    trainingWith: (counted) => (counted ? `training, with ${counted}` : "training"),
    notComparable: (counted) =>
      `The training loss alone counts ${counted}, which mostly makes it higher: ` +
      "it cannot be compared with the validation loss.",
    heldOut: "validation",
    epoch: "epoch",
    errors: {},
  },
  ru: {
    skip: "К содержанию",
    language: "Язык",
    sections: "Разделы",
    pictures: "Картинки",
    runs: "Обучения",
    invite: "Перетащите сюда картинки, вставьте из буфера или",
    choose: "Выбрать картинки",
    photograph: "Сделать фото",
    shoot: "Снять",
    cancel: "Отмена",
    working: "Идёт работа",
    go: "Продолжить",
    token: "Токен",
    tokenTitle: "Сервер просит токен",
    tokenWrong: "Токен не подошёл.",
    model: (name, count) => `Модель ${name}, классов: ${count}`,
    knows: (names, more) => ["Знает: ", ...listed(names), `${more ? ` и ещё ${more}` : ""}.`],
    accepted: (mib) => `JPEG, PNG, WebP, GIF, BMP, TIFF; до ${mib} МиБ. Картинки не сохраняются.`,
    acceptedHere: (mib) => `Всё, что показывает этот браузер, до ${mib} МиБ. Картинки не покидают этот компьютер.`,
    preparing: (mib) => `Загружаю сеть (${mib} МиБ) …`,
    busy: (done, total) => `Смотрю: ${done} из ${total}`,
    verdict: (label, share) => [label, `, ${share}`],
    unsure: "Сеть не уверена: ни один класс не набрал и половины.",
    unlike: "Это не похоже ни на что из обучения сети: на ответ полагаться нельзя.",
    someUnlike: (count) =>
      `Картинок, не похожих ни на что из обучения сети: ${count}. Они помечены; на эти ответы полагаться нельзя.`,
    unfamiliar: "незнакомо",
    best: "Самые вероятные классы",
    original: (width, height) => `Ваша картинка, ${width} × ${height}`,
    seen: (width, height) => `Что видела сеть, ${width} × ${height}`,
    looked: (label) => ["Где найдено «", label, "»"],
    similar: "Самые похожие картинки из обучения",
    several: (count, failed) => `Картинок: ${count}, ${failed ? `не прочитано: ${failed}` : "прочитаны все"}`,
    download: "Скачать CSV",
    list: "Ответы для всех картинок",
    picture: "Картинка",
    name: "Имя",
    answer: "Ответ",
    probability: "Вероят\u00adность", // may part, or the table is wider than a narrow phone
    runnerUp: "Второй",
    look: (name) => `Показать ${name} подробно`,
    details: "Подробно",
    noPicture: "Среди вставленного или перетащенного нет картинки.",
    tooLarge: (mib) => `больше ${mib} МиБ`,
    noServer: "Сервер не отвечает. Он ещё запущен?",
    noModel: "Не удалось загрузить сеть. Обновите страницу, чтобы попробовать ещё раз.",
    broken: "Сеть не справилась с картинкой; возможно, устройству не хватило памяти.",
    busyServer: "Сервер перегружен; попробуйте ещё раз чуть позже.",
    noCamera: "Камера недоступна. Выберите картинку.",
    run: "Обучение",
    recipe: "Рецепт",
    network: "Сеть",
    dataset: "Данные",
    validation: "Валидация",
    lossOf: (value) => `потери ${value}`,
    test: "Тест",
    begun: "Начато",
    seconds: "Секунды",
    parameters: "Параметры",
    unfinished: "не закончено",
    ended: "окончено раньше",
    loadingRuns: "Читаю обучения …",
    noRuns: "Здесь ещё нет обучений. Начните с: retinula train",
    chooseRuns: "Выберите одно обучение или два для сравнения.",
    chooseRun: (name) => `Выбрать ${name}`,
    results: "Результаты",
    differing: "Различные настройки",
    settings: (count) => `Настройки (${count})`,
    same: (count) => `Одинаковые настройки (${count})`,
    report: "Открыть отчёт",
    lossChart: "Потери по эпохам",
    accuracyChart: "Точность по эпохам",
    training: "обучение",
    trainingWith: (counted) => (counted ? `обучение; учтено: ${inRussian(counted)}` : "обучение"),
    notComparable: (counted) =>
      `Только в потерях при обучении учтено: ${inRussian(counted)}; обычно они поэтому выше, ` +
      "и с потерями при валидации их сравнивать нельзя.",
    heldOut: "валидация",
    epoch: "эпоха",
    errors: {
      unreadable: "не читается как картинка",
      too_large: "слишком велика",
      too_many_pictures: "слишком много картинок сразу",
      failed: "ошибка на сервере; подробности в его журнале",
      not_found: "такого здесь нет",
    },
  },
};

// Parts of a sentence: names with commas between them.
function listed(names) {
  return names.flatMap((name, index) => (index ? [", ", name] : [name]));
}

// What a training loss alone counts; the server says it in English.
function inRussian(counted) {
  const words = [
    ["label smoothing", "сглаживание меток"],
    ["class weights", "веса классов"],
    ["mixed pictures", "смешанные картинки"],
    [" and ", ", "],
  ];
  return words.reduce((said, [english, russian]) => said.replaceAll(english, russian), counted);
}

// As Python rounds: what lies in the middle goes to the even digit, 3.125 to 3.12, in terminal, report and page.
const ROUNDED = { roundingMode: "halfEven" };

let language = "en";

// The language that was chosen last, or the browser's.
export function preferredLanguage() {
  const chosen = remembered("language") ?? navigator.language.slice(0, 2);
  return chosen in TEXTS ? chosen : "en";
}

// Put the page into a language; what is drawn by scripts is drawn anew by them on the event `spoken`.
export function speak(chosen) {
  language = chosen;
  try {
    localStorage.setItem("language", chosen);
  } catch {
    // A browser may forbid remembering.
  }
  document.documentElement.lang = chosen;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.ariaLabel = text(element.dataset.label);
  document.dispatchEvent(new CustomEvent("spoken"));
}

export function text(key, ...values) {
  const found = TEXTS[language][key];
  return typeof found === "function" ? found(...values) : found;
}

// What a server's refusal says in the language of the page; its own words are English.
export function explained({ code, message }, name = null) {
  const words = TEXTS[language].errors[code];
  if (!words) return message;
  return name === null ? words : `${name}: ${words}`;
}

// A share in percent; what would round to nothing or to all, and is not, says so.
export function percent(share, places = 1) {
  const options = { ...ROUNDED, style: "percent", minimumFractionDigits: places, maximumFractionDigits: places };
  const least = 10 ** -(places + 2);
  if (share > 0 && share < least / 2) return `<${least.toLocaleString(language, options)}`;
  if (share < 1 && share > 1 - least / 2) return `>${(1 - least).toLocaleString(language, options)}`;
  return share.toLocaleString(language, options);
}

export function number(value, places = 4) {
  return value.toLocaleString(language, { ...ROUNDED, maximumFractionDigits: places });
}

// Keys that one language has and another lacks: for tests.
export function missing() {
  const keys = Object.values(TEXTS).flatMap(Object.keys);
  return keys.filter((key) => !Object.values(TEXTS).every((texts) => key in texts));
}

function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
