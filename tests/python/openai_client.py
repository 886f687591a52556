"""OpenAI's client against a gateway: says a line for each thing it does, and fails where it cannot.

Arguments: the base URL and an API key.
"""

import sys

import openai

BASE, KEY = sys.argv[1:3]
MESSAGES = [{"role": "user", "content": "How are you?"}]


def client(key):
    # No proxy of the machine's stands between the client and loopback.
    http = openai.DefaultHttpxClient(trust_env=False)
    return openai.OpenAI(base_url=BASE, api_key=key, http_client=http, timeout=30)


def stream(api, **options):
    text, usage = "", None
    for chunk in api.chat.completions.create(model="gpt", messages=MESSAGES, stream=True, **options):
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
        usage = chunk.usage or usage
    print("stream", text, usage.total_tokens if usage else "without usage")


def refused(what, call):
    try:
        call()
    except openai.APIStatusError as error:
        print(what, type(error).__name__, error.status_code, error.body["doorward"]["code"], error.code)
    else:
        sys.exit(f"{what}: it was not refused")


api = client(KEY)
print("models", *(model.id for model in api.models.list()))
completion = api.chat.completions.create(model="gpt", messages=MESSAGES)
print("create", completion.choices[0].message.content, completion.usage.total_tokens)
stream(api)
stream(api, stream_options={"include_usage": True})
wrong = "dw_test_8c1d5h0tz6vy3r9s_93th5bXj8t58pIWNAm7ssFziuHm7nyJ0Pm9Ri7JrwTo4BJWop"
refused("wrong key", lambda: client(wrong).models.list())
refused("unknown model", lambda: api.chat.completions.create(model="gpt-9", messages=MESSAGES))
