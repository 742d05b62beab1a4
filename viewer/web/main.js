const answer = await fetch("/api/session");
document.body.textContent = JSON.stringify(await answer.json());
