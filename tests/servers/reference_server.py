"""A server that offers what the official conformance suite calls, on the official SDK, over its pipes."""

import base64
import json
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import Message, UserMessage
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    CallToolResult,
    Completion,
    ContentBlock,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    GetPromptRequestParams,
    GetPromptResult,
    ImageContent,
    InputRequiredResult,
    ListPromptsResult,
    ListRootsRequest,
    PaginatedRequestParams,
    Prompt,
    PromptMessage,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)

server = MCPServer("reference")
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
WAV = base64.b64encode(
    b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0"
).decode()


def text(said: str) -> TextContent:
    return TextContent(type="text", text=said)


def image() -> ImageContent:
    return ImageContent(type="image", data=PNG, mime_type="image/png")


def embedded(uri: str, kind: str, said: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=kind, text=said))


@server.tool(structured_output=False)
def test_simple_text() -> list[ContentBlock]:
    """Return a text."""
    return [text("This is a simple text response for testing.")]


@server.tool(structured_output=False)
def test_image_content() -> list[ContentBlock]:
    """Return an image."""
    return [image()]


@server.tool(structured_output=False)
def test_audio_content() -> list[ContentBlock]:
    """Return a sound."""
    return [AudioContent(type="audio", data=WAV, mime_type="audio/wav")]


@server.tool(structured_output=False)
def test_embedded_resource() -> list[ContentBlock]:
    """Return a resource."""
    return [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]


@server.tool(structured_output=False)
def test_multiple_content_types() -> list[ContentBlock]:
    """Return several kinds of content."""
    said = embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
    return [text("Multiple content types test:"), image(), said]


@server.tool(structured_output=False)
def test_error_handling() -> list[ContentBlock]:
    """Fail."""
    raise ValueError("This tool intentionally returns an error for testing")


@server.tool(structured_output=False)
async def test_tool_with_progress(ctx: Context) -> list[ContentBlock]:
    """Tell progress."""
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100, f"Completed step {done} of 100")
    return [text("done")]


async def three_lines(ctx: Context) -> list[ContentBlock]:
    """Write three lines for the log."""
    for said in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(said)
    return [text("done")]


for each in ("test_tool_with_logging", "test_logging_tool"):
    server.add_tool(three_lines, name=each, structured_output=False)


def question(message: str, properties: dict[str, Any], required: tuple[str, ...] = ()) -> ElicitRequest:
    """Return a question to the person."""
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return ElicitRequest(params=ElicitRequestFormParams.model_validate({"message": message, "requestedSchema": schema}))


def prompt_of(said: str, most: int) -> CreateMessageRequest:
    """Return a question to the model."""
    message = SamplingMessage(role="user", content=text(said))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=most))


def asked(ctx: Context, message: str, properties: dict[str, Any], required: tuple[str, ...] = ()) -> Any:
    """Return the question, or what became of it; the daemon is a client of the modern era."""
    if ctx.input_responses is None:
        request = question(message, properties, required)
        return InputRequiredResult(input_requests={"user_name": request}, request_state="asked")
    answer = ctx.input_responses["user_name"]
    assert isinstance(answer, ElicitResult)
    said = f"action={answer.action}, content={json.dumps(answer.content)}"
    return CallToolResult(content=[text(f"User response: {said}"), text(f"Elicitation completed: {said}")])


@server.tool(structured_output=False)
async def test_elicitation(message: str, ctx: Context) -> CallToolResult | InputRequiredResult:
    """Ask the person."""
    named = {"username": {"type": "string", "description": "User's response"}, "email": {"type": "string"}}
    return asked(ctx, message, named, ("username", "email"))


@server.tool(structured_output=False)
async def test_elicitation_sep1034_defaults(ctx: Context) -> CallToolResult | InputRequiredResult:
    """Ask with defaults."""
    properties = {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    }
    return asked(ctx, "Please say who you are", properties)


@server.tool(structured_output=False)
async def test_elicitation_sep1330_enums(ctx: Context) -> CallToolResult | InputRequiredResult:
    """Ask with choices of every form."""
    options, names = ["option1", "option2", "option3"], ["First", "Second", "Third"]
    titled = [{"const": f"value{at + 1}", "title": name} for at, name in enumerate(names)]
    properties = {
        "untitledSingle": {"type": "string", "enum": options},
        "titledSingle": {"type": "string", "oneOf": titled},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": names},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled}},
    }
    return asked(ctx, "Please choose", properties)


@server.tool(structured_output=False)
async def test_input_required_result_elicitation(ctx: Context) -> CallToolResult | InputRequiredResult:
    """Ask for a name."""
    return asked(ctx, "What is your name?", {"name": {"type": "string"}}, ("name",))


@server.tool(structured_output=False)
async def test_input_required_result_request_state(ctx: Context) -> CallToolResult | InputRequiredResult:
    """Ask with a state."""
    return asked(ctx, "Please confirm", {"ok": {"type": "boolean"}}, ("ok",))


@server.tool(structured_output=False)
async def test_input_required_result_tampered_state(ctx: Context) -> CallToolResult | InputRequiredResult:
    """Ask with a state that nobody may change."""
    return asked(ctx, "Please confirm", {"ok": {"type": "boolean"}}, ("ok",))


@server.tool(structured_output=False)
async def test_input_required_result_multi_round(ctx: Context) -> CallToolResult | InputRequiredResult:
    """Ask twice."""
    if ctx.request_state == "asked":
        return InputRequiredResult(
            input_requests={"step2": question("Step 2: Which colour?", {"colour": {"type": "string"}}, ("colour",))},
            request_state="twice",
        )
    if ctx.request_state == "twice":
        return CallToolResult(content=[text("Thank you.")])
    return asked(ctx, "Step 1: What is your name?", {"name": {"type": "string"}}, ("name",))


NAME = {"name": {"type": "string"}}
Questions = dict[str, ElicitRequest | CreateMessageRequest | ListRootsRequest]


def answered(ctx: Context, questions: Questions) -> CallToolResult | InputRequiredResult:
    """Return the questions, or what was answered."""
    if ctx.input_responses is None:
        return InputRequiredResult(input_requests=dict(questions), request_state="asked")
    given = {name: answer.model_dump(by_alias=True, mode="json") for name, answer in ctx.input_responses.items()}
    return CallToolResult(content=[text(f"Answers: {json.dumps(given)}")])


@server.tool(structured_output=False)
async def test_sampling(prompt: str, ctx: Context) -> CallToolResult | InputRequiredResult:
    """Ask the model."""
    return answered(ctx, {"asked": prompt_of(prompt, 100)})


@server.tool(structured_output=False)
async def test_input_required_result_sampling(ctx: Context) -> CallToolResult | InputRequiredResult:
    """Ask the model for a capital."""
    return answered(ctx, {"capital_question": prompt_of("What is the capital of France?", 100)})


@server.tool(structured_output=False)
async def test_input_required_result_list_roots(ctx: Context) -> CallToolResult | InputRequiredResult:
    """Ask for the folders."""
    return answered(ctx, {"client_roots": ListRootsRequest()})


@server.tool(structured_output=False)
async def test_input_required_result_multiple_inputs(ctx: Context) -> CallToolResult | InputRequiredResult:
    """Ask for everything at once."""
    person = question("What is your name?", NAME, ("name",))
    model = prompt_of("Generate a greeting", 50)
    return answered(ctx, {"user_name": person, "greeting": model, "client_roots": ListRootsRequest()})


@server.tool(structured_output=False)
async def test_input_required_result_capabilities(ctx: Context) -> CallToolResult | InputRequiredResult:
    """Ask what the client can answer, and nothing else."""
    can, questions = ctx.client_capabilities, Questions()
    if can is not None and can.elicitation is not None:
        questions["user_name"] = question("What is your name?", NAME)
    if can is not None and can.sampling is not None:
        questions["greeting"] = prompt_of("Generate a greeting", 50)
    return answered(ctx, questions) if questions else CallToolResult(content=[text("Nobody can be asked.")])


@server.tool(structured_output=False)
async def test_missing_capability(ctx: Context) -> CallToolResult | InputRequiredResult:
    """Need a client that can ask its model."""
    if ctx.client_capabilities is None or ctx.client_capabilities.sampling is None:
        needed = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "This needs sampling.", needed)
    return answered(ctx, {"asked": prompt_of("Say something.", 10)})


@server.tool(structured_output=False)
async def test_streaming_elicitation(ctx: Context) -> CallToolResult | InputRequiredResult:
    """Tell progress, and then ask."""
    await ctx.report_progress(1, 2, "half way")
    return asked(ctx, "Please confirm", {"ok": {"type": "boolean"}}, ("ok",))


def spare() -> list[ContentBlock]:
    """Be there until the list of tools is to change: what is new waits for a person, so an agent hears of what goes."""
    return []


spares = [f"spare_{number}" for number in range(9)]
for each in spares:
    server.add_tool(spare, name=each, structured_output=False)


@server.tool(structured_output=False)
async def test_trigger_tool_change(ctx: Context) -> list[ContentBlock]:
    """Change the list of tools."""
    server.remove_tool(spares.pop())
    await ctx.notify_tools_changed()
    return [text("changed")]


@server.tool(structured_output=False)
async def test_trigger_prompt_change(ctx: Context) -> list[ContentBlock]:
    """Change the list of prompts."""
    await ctx.notify_prompts_changed()
    return [text("changed")]


@server.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    """Return a text."""
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    """Return bytes."""
    return base64.b64decode(PNG)


@server.resource("test://template/{id}/data", mime_type="application/json")
def template(id: str) -> str:  # noqa: A002 - the suite names it
    """Return what belongs to an id."""
    return f'{{"id":"{id}","templateTest":true,"data":"Data for ID: {id}"}}'


@server.resource("test://watched-resource", mime_type="text/plain")
def watched() -> str:
    """Return a text that can be watched."""
    return "This text may change."


@server.prompt()
def test_simple_prompt() -> str:
    """Return a prompt."""
    return "This is a simple prompt for testing."


@server.prompt()
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """Return a prompt with arguments."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@server.prompt()
def test_prompt_with_embedded_resource(resourceUri: str) -> list[Message]:  # noqa: N803 - the suite names it
    """Return a prompt with a resource."""
    said = embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
    ask = text("Please process the embedded resource above.")
    return [UserMessage(said), UserMessage(ask)]


@server.prompt()
def test_prompt_with_image() -> list[Message]:
    """Return a prompt with an image."""
    return [UserMessage(image()), UserMessage("Please analyze it.")]


@server.completion()
async def complete(reference: object, argument: object, context: object) -> Completion | None:
    """Complete nothing in particular."""
    return Completion(values=["paris", "park"], total=2, has_more=False)


ASKING = "test_input_required_result_prompt"
list_prompts = server._lowlevel_server.get_request_handler("prompts/list")
get_prompt = server._lowlevel_server.get_request_handler("prompts/get")
assert list_prompts is not None
assert get_prompt is not None


async def with_one_that_asks(ctx: Any, params: PaginatedRequestParams) -> ListPromptsResult:
    """List the prompts, with one that the server of the SDK has no form for."""
    listed: Any = await list_prompts.handler(ctx, params)
    return ListPromptsResult(prompts=[*listed.prompts, Prompt(name=ASKING, description="Ask for a context.")])


async def prompt_that_asks(ctx: Any, params: GetPromptRequestParams) -> GetPromptResult | InputRequiredResult:
    """Make a prompt; ask for what one of them needs."""
    if params.name != ASKING:
        made: Any = await get_prompt.handler(ctx, params)
        return GetPromptResult.model_validate(made.model_dump())
    if params.input_responses is None:
        said = question("What context should the prompt use?", {"context": {"type": "string"}}, ("context",))
        return InputRequiredResult(input_requests={"user_context": said}, request_state="asked")
    answer = params.input_responses["user_context"]
    assert isinstance(answer, ElicitResult)
    content = text(f"Use {json.dumps(answer.content)}.")
    return GetPromptResult(messages=[PromptMessage(role="user", content=content)])


server._lowlevel_server.add_request_handler("prompts/list", PaginatedRequestParams, with_one_that_asks)
server._lowlevel_server.add_request_handler("prompts/get", GetPromptRequestParams, prompt_that_asks)


if __name__ == "__main__":
    server.run()
