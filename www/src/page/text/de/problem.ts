/** What went wrong and what a person can do about it. The engine's own message stands between both, in English. */
import type { ErrorCode } from 'pocketllm';
import type { Texts } from '../en/index.ts';

interface Problem {
  title: string;
  advice: string;
}

const codes: Record<ErrorCode, Problem> = {
  'webgpu-unavailable': {
    title: 'Dieser Browser kann den Grafikchip (GPU) nicht nutzen',
    advice: 'Nutze ein aktuelles Chrome oder Edge (ab Android 12 oder am Computer), Safari 26 oder Firefox 141 unter Windows. Unter Linux öffne chrome://flags, schalte „Unsafe WebGPU Support“ ein und starte Chrome neu.',
  },
  'device-lost': {
    title: 'Der Grafikchip (GPU) reagiert nicht mehr',
    advice: 'Das passiert oft, wenn der Arbeitsspeicher nicht reicht. Schließe andere Tabs und Apps und lade dann diese Seite neu. Das Training kann ab seinem letzten Schritt weitergehen.',
  },
  'out-of-memory': {
    title: 'Der Arbeitsspeicher reicht nicht',
    advice: 'Schließe andere Tabs und Apps. Oder nimm weniger Beispiele pro Schritt oder kürzere Texte (unter „Erweitert“) oder ein kleineres Modell.',
  },
  'limit-exceeded': {
    title: 'Das ist zu viel für den Grafikchip (GPU) dieses Geräts',
    advice: 'Nimm weniger Beispiele pro Schritt oder kürzere Texte (unter „Erweitert“) oder ein kleineres Modell.',
  },
  'model-unsupported': {
    title: 'Diese Art von Modell läuft hier nicht',
    advice: 'Hier laufen unter anderem Modelle dieser Familien: BERT, RoBERTa, GPT-2, OPT, Llama, Mistral, Qwen, Gemma und Phi. Nimm eine nicht quantisierte Fassung als safetensors oder pytorch_model.bin oder eine GGUF-Datei.',
  },
  'file-corrupt': {
    title: 'Eine Datei fehlt oder ist beschädigt',
    advice: 'Lade die Dateien noch einmal herunter. Wähle dann config.json, tokenizer.json und die .safetensors-Dateien zusammen oder eine einzelne .gguf-Datei.',
  },
  'data-invalid': {
    title: 'Diese Beispiele lassen sich so nicht verwenden',
    advice: 'Korrigiere, was oben genannt ist, und versuche es noch einmal.',
  },
  'trajectory-mismatch': {
    title: 'Dieses Trainingsprotokoll passt nicht',
    advice: 'Lade das Modell, mit dem das Protokoll entstanden ist. Um das Training fortzusetzen, nimm auch dieselben Beispiele und Einstellungen.',
  },
  'non-finite-loss': {
    title: 'Das Training ist instabil geworden',
    advice: 'Beginne noch einmal mit dem Wert, der oben genannt ist (unter „Erweitert“).',
  },
  'storage-full': {
    title: 'Der Speicherplatz reicht nicht zum Speichern',
    advice: 'Schaffe Platz auf diesem Gerät oder lösche ein Modell unter „Modelle auf diesem Gerät“. Versuche es dann noch einmal. Was schon gespeichert war, ist nicht verloren.',
  },
  network: {
    title: 'Eine Datei konnte nicht heruntergeladen werden',
    advice: 'Prüfe, ob du online bist und ob der Name stimmt, und versuche es noch einmal. Was schon angekommen ist, ist gespeichert.',
  },
  aborted: { title: 'Gestoppt', advice: '' },
  'invalid-argument': {
    title: 'Eine Einstellung stimmt nicht',
    advice: 'Ändere die oben genannte Einstellung und versuche es noch einmal.',
  },
};

export const problem: Texts['problem'] = {
  ...codes,
  details: 'Technische Einzelheiten (auf Englisch)',
  fault: {
    title: 'Auf dieser Seite ist etwas schiefgegangen',
    advice: 'Lade die Seite neu und versuche es noch einmal. Wenn es wieder passiert, melde bitte den Text oben.',
  },
  link: {
    title: 'Dieser Link lässt sich nicht öffnen',
    advice: 'Manche Programme schneiden lange Links ab. Kopiere den ganzen Link oder bitte die Person, die ihn geschickt hat, um das Trainingsprotokoll als Datei.',
  },
  noRecord: {
    title: 'Diese Datei lässt sich hier nicht öffnen',
    advice: 'Wähle das Trainingsprotokoll, das in Schritt 4 heruntergeladen wurde, oder einen Adapter als Zip-Datei. Ein Modell wählst du stattdessen unter „Modell“, Beispiele in Schritt 2.',
  },
  readoutArchive: {
    title: 'Dieses Archiv lässt sich nicht als Modell öffnen',
    advice: 'Ohne das Trainingsprotokoll kannst du noch einmal aus denselben Beispielen lernen. Das dauert Sekunden.',
  },
  noTokenizer: {
    title: 'Diesem Modell fehlt eine Datei',
    advice: 'Wähle ein anderes Modell, am besten das, aus dem dieses entstanden ist; seine Seite nennt es meist. Oder lade die Dateien dieses Modells und tokenizer.json von jenem herunter und wähle sie alle zusammen unter „Aus meinen Dateien“ aus.',
  },
  locked: {
    title: 'Dieses Modell ist nicht für alle zugänglich',
    advice: 'Melde dich bei Hugging Face an, akzeptiere die Bedingungen auf der Seite des Modells und gib oben ein Zugriffstoken deines Kontos ein. Prüfe auch den Namen des Modells.',
  },
  insecure: 'Browser erlauben WebGPU nur für Seiten, die über https oder von diesem Gerät selbst (localhost) geladen werden.',
  processor: {
    title: 'Diese Seite nutzt den Prozessor',
    meaning: 'Dieser Browser stellt ihr keinen Grafikchip (GPU) bereit. Schnelles Lernen mit Small BERT dauert trotzdem nur Sekunden. Gründliches Training und größere Modelle brauchen viel länger.',
    faster: 'So wird es schneller',
  },
};
